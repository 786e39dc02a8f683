#!/usr/bin/env python3
"""Who a call is for, at a real router with TLS and a policy, without a proxy: the certificate of the connection decides,
and a header counts only on connections of edges.

Usage: identity_test.py BINARIES MODEL [unittest's arguments]
"""

import hashlib
import json
import pathlib
import ssl
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from secured_cluster import SecuredCluster, eventually  # noqa: E402
import api  # noqa: E402

BINARIES, MODEL = sys.argv[1:3]
Code = grpc.StatusCode
LIST_SERVICES = b"\x3a\x01*"  # A request of reflection.


def uri(name, role="client"):
    return f"spiffe://apollo/{role}/{name}"


def own_header(value):
    return (("x-apollo-caller-san", value),)


def envoys_header(value):
    return (("x-forwarded-client-cert", f'By={uri("server", "edge")};Hash=00;URI={value}'),)


class IdentityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.audit = pathlib.Path(folder.name) / "audit.jsonl"
        cls.cluster = SecuredCluster(BINARIES, MODEL, folder.name, 1,
                                     [f"--audit_log={cls.audit}", "--tls_client_auth=request"])
        cls.addClassCleanup(cls.cluster.stop)
        cls.count = 0

    def client(self, name):
        """Returns a client with the certificate of a name, or with none."""
        client = self.cluster.client(self.cluster.address("router"), name)
        self.addCleanup(client.close)
        return client

    def complete(self, name, metadata=(), prompt="How are you?"):
        """Calls Complete. Returns the code, the response and the id of the request."""
        type(self).count += 1
        request = self.cluster.request(request_id=f"call-{self.count}", prompt=prompt)
        response = None
        try:
            response = self.client(name).call("Complete", request, "CompleteResponse", metadata=metadata)
            code = Code.OK
        except grpc.RpcError as error:
            code = error.code()
        return code, response, request.request_id

    def end_of(self, request_id):
        """Returns the last entry of a call in the audit log, when it is there."""
        return eventually(lambda: self.find_end_of(request_id), "the call is in the audit log")

    def find_end_of(self, request_id):
        entries = [json.loads(line) for line in self.audit.read_text().splitlines()]
        ends = [entry for entry in entries
                if entry["event"] == "request_ended" and entry["request_id"] == request_id]
        return ends[0] if ends else None

    def hash_of(self, name):
        """Returns the SHA-256 of a certificate."""
        text = (self.cluster.certificates / f"{name}.pem").read_text()
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()

    def check(self, name, metadata, code, caller):
        """Checks the code of a call, whose it is in audit log and metrics, and whose certificate it has proven."""
        before = self.cluster.calls(caller)
        got, _, request_id = self.complete(name, metadata)
        self.assertEqual(got, code)
        self.assertEqual(self.cluster.calls(caller), before + 1)
        # All strangers together have few entries of their own.
        if caller != "unknown":
            self.check_entry(request_id, name, caller)

    def check_entry(self, request_id, name, caller):
        entry = self.end_of(request_id)
        self.assertEqual(entry["caller"], caller)
        self.assertEqual(entry["certificate_sha256"], self.hash_of(name) if name else "")

    def test_a_certificate_stands_for_its_caller(self):
        self.check("clinic-a", (), Code.OK, "clinic-a")
        self.check("clinic-c", (), Code.OK, "clinic-c")
        self.check("stranger", (), Code.PERMISSION_DENIED, "unknown")
        self.check(None, (), Code.UNAUTHENTICATED, "unknown")

    def test_the_first_calls_of_strangers_are_in_the_audit_log(self):
        # A router that no stranger has called yet: all of them together have few entries a minute.
        self.assertEqual(self.cluster.do("stop", "router"), {"exit_code": 0})
        self.cluster.do("start", "router")
        eventually(lambda: self.complete("clinic-a")[0] == Code.OK, "the router has found its workers again")
        for name in "stranger", None:
            _, _, request_id = self.complete(name)
            self.check_entry(request_id, name, "")

    def test_an_edge_speaks_for_others(self):
        for header in (own_header, envoys_header):
            with self.subTest(header=header.__name__):
                self.check("proxy", header(uri("clinic-a")), Code.OK, "clinic-a")
                self.check("second", header(uri("clinic-c")), Code.OK, "clinic-c")
                self.check("proxy", header(uri("stranger")), Code.PERMISSION_DENIED, "unknown")
                self.check("proxy", header(uri("proxy", "edge")), Code.PERMISSION_DENIED, "unknown")
                self.check("proxy", header(uri("second", "edge")), Code.PERMISSION_DENIED, "unknown")
        self.check("proxy", (), Code.PERMISSION_DENIED, "proxy")  # An edge itself may call nothing.

    def test_an_edge_names_one_caller_in_one_way(self):
        both = own_header(uri("clinic-a")) + envoys_header(uri("clinic-a"))
        self.check("proxy", both, Code.UNAUTHENTICATED, "unknown")
        self.check("proxy", own_header(uri("clinic-a")) * 2, Code.UNAUTHENTICATED, "unknown")
        self.check("proxy", (("x-forwarded-client-cert", "Hash=00"),), Code.UNAUTHENTICATED, "unknown")
        # The nearest proxy counts, not what its client has written.
        chain = (("x-forwarded-client-cert", f'URI={uri("clinic-c")},By=x;URI={uri("clinic-a")}'),)
        self.check("proxy", chain, Code.OK, "clinic-a")

    def test_nobody_else_speaks_for_others(self):
        ignored = self.cluster.total("apollo_caller_headers_ignored_total")
        for header in (own_header, envoys_header):
            with self.subTest(header=header.__name__):
                self.check("clinic-c", header(uri("clinic-a")), Code.OK, "clinic-c")
                self.check("operations", header(uri("clinic-a")), Code.OK, "operations")
                # An edge's certificate that the policy does not have is none.
                self.check("unknown", header(uri("clinic-a")), Code.PERMISSION_DENIED, "unknown")
                self.check("stranger", header(uri("clinic-a")), Code.PERMISSION_DENIED, "unknown")
                self.check(None, header(uri("clinic-a")), Code.UNAUTHENTICATED, "unknown")
        self.assertEqual(self.cluster.total("apollo_caller_headers_ignored_total"), ignored + 10)

    def test_a_token_counts_more_than_what_an_edge_says(self):
        token = (("authorization", f"Bearer {self.cluster.signer.sign('portal')}"),)
        self.check("proxy", token, Code.OK, "portal")
        self.check("proxy", token + own_header(uri("clinic-a")), Code.OK, "portal")
        self.check(None, token + own_header(uri("clinic-a")), Code.OK, "portal")
        wrong = (("authorization", f"Bearer {self.cluster.signer.sign('portal', seconds=-3600)}"),)
        self.check("proxy", wrong + own_header(uri("clinic-a")), Code.UNAUTHENTICATED, "unknown")

    def test_workers_do_not_call(self):
        self.cluster.await_idle()
        calls = self.cluster.total("apollo_caller_requests_total")
        with self.assertRaises(grpc.RpcError) as caught:
            self.client("worker").call("GetModel", b"", "GetModelResponse", metadata=own_header(uri("clinic-a")))
        self.assertEqual(caught.exception.code(), Code.PERMISSION_DENIED)
        self.cluster.await_idle()
        self.assertEqual(self.cluster.total("apollo_caller_requests_total"), calls)  # The policy was not asked.

    def test_rights_are_those_of_the_one_who_is_named(self):
        def code(name, metadata):
            try:
                self.client(name).call("GetStatus", b"", "GetStatusResponse", metadata=metadata)
                return Code.OK
            except grpc.RpcError as error:
                return error.code()
        operator = own_header(uri("operations", "admin"))
        self.assertEqual(code("operations", ()), Code.OK)
        self.assertEqual(code("proxy", operator), Code.OK)
        self.assertEqual(code("proxy", own_header(uri("clinic-a"))), Code.PERMISSION_DENIED)
        self.assertEqual(code("clinic-a", operator), Code.PERMISSION_DENIED)
        self.assertEqual(code("clinic-a", envoys_header(uri("operations", "admin"))), Code.PERMISSION_DENIED)

    def test_reflection_asks_the_same_questions(self):
        def code(name, metadata):
            call = self.client(name).channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
            try:
                return Code.OK if list(call(iter([LIST_SERVICES]), timeout=60, metadata=metadata)) else None
            except grpc.RpcError as error:
                return error.code()
        operator = own_header(uri("operations", "admin"))
        self.assertEqual(code("operations", ()), Code.OK)
        self.assertEqual(code("proxy", operator), Code.OK)
        self.assertEqual(code("proxy", own_header(uri("clinic-a"))), Code.PERMISSION_DENIED)
        self.assertEqual(code("clinic-a", operator), Code.PERMISSION_DENIED)
        self.assertEqual(code(None, operator), Code.UNAUTHENTICATED)

    def test_cached_prefixes_are_those_of_the_tenant_of_the_one_who_is_named(self):
        prompt = "The child has had a fever for three days, and coughs at night. What should the parents do?"

        def cached(name, metadata=()):
            code, response, _ = self.complete(name, metadata, prompt)
            self.assertEqual(code, Code.OK)
            return response.started.cached_tokens
        self.assertEqual(cached("proxy", own_header(uri("clinic-a"))), 0)  # Tenant north.
        self.assertEqual(cached("proxy", own_header(uri("clinic-c"))), 0)  # South.
        self.assertEqual(cached("operations"), 0)
        self.assertGreater(cached("clinic-b"), 0)  # North, too.
        self.assertGreater(cached("clinic-c"), 0)
        self.assertGreater(cached("second", envoys_header(uri("clinic-a"))), 0)
        # A header that does not count opens no tenant.
        prompt = "Another clinic asks about a rash on both arms, which itches at night and began after a new soap."
        self.assertEqual(cached("clinic-a"), 0)
        self.assertEqual(cached("clinic-c", own_header(uri("clinic-a"))), 0)


class PlaintextTest(unittest.TestCase):
    def test_nobody_is_an_edge_without_tls(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        cluster = SecuredCluster(BINARIES, MODEL, folder.name, 1, tls=False)
        self.addCleanup(cluster.stop)
        client = api.Api(cluster.messages, cluster.address("router"))
        self.addCleanup(client.close)
        with self.assertRaises(grpc.RpcError) as caught:
            client.call("GetModel", b"", "GetModelResponse", metadata=own_header(uri("clinic-a")))
        self.assertEqual(caught.exception.code(), Code.UNAUTHENTICATED)
        self.assertEqual(cluster.total("apollo_caller_headers_ignored_total"), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
"""Two real routers behind a real Envoy with the configuration of deploy/envoy, whose clients have certificates.

Usage: edge_test.py BINARIES MODEL [unittest's arguments]
Needs Envoy and Jinja (tools/install_packages.sh --dev).
"""

import json
import pathlib
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from local_envoy import LocalEnvoy, make_tls_folder, require_envoy  # noqa: E402
from secured_cluster import ROOT, SECONDS, SecuredCluster, eventually, make_certificates  # noqa: E402
import api  # noqa: E402

BINARIES, MODEL = sys.argv[1:3]
Code = grpc.StatusCode
DETAILS = api.load(str(ROOT), "rpc", ("details",))


def failure_of(call):
    """Returns the error of a function that makes a call, or fails."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call has succeeded")


def trailers_of(error):
    return dict(error.trailing_metadata())


def details_of(error):
    """Returns the messages in the details of an error by their names."""
    status = DETAILS.Status.FromString(trailers_of(error)["grpc-status-details-bin"])
    result = {}
    for detail in status.details:
        name = detail.type_url.rpartition(".")[2]
        result[name] = getattr(DETAILS, name).FromString(detail.value)
    return result


class EdgeTest(unittest.TestCase):
    """Has a cluster, and an Envoy with OPTIONS in front of it."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        require_envoy()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        # A call that is not read pauses early, whatever is buffered on its way.
        cls.cluster = SecuredCluster(BINARIES, MODEL, cls.folder / "cluster", 2, ["--call_output_bytes=32768"])
        cls.addClassCleanup(cls.cluster.stop)
        make_tls_folder(cls.folder / "tls", cls.cluster.certificates, cls.folder / "public")
        cls.envoy = LocalEnvoy(cls.folder / "edge", cls.cluster, cls.folder / "tls", *cls.OPTIONS)
        cls.addClassCleanup(cls.envoy.stop)

    def client(self, name="clinic-a", folder=None):
        """Returns a client of Envoy with the certificate of a name, or with none."""
        client = self.cluster.client(self.envoy.address, name, self.folder / "public/ca.pem", folder)
        self.addCleanup(client.close)
        return client

    def complete(self, client, metadata=(), timeout=SECONDS, **fields):
        return client.call("Complete", self.cluster.request(**fields), "CompleteResponse", timeout, metadata)

    def hold(self, client, timeout=SECONDS):
        """Returns a stream that has begun and waits for its reader."""
        call = client.generate(self.cluster.long_request(), timeout=timeout)
        self.assertTrue(next(call).HasField("started"))
        return call

    def running(self):
        return self.cluster.total("apollo_num_requests_running")


class StreamTest(EdgeTest):
    def test_a_stream_is_that_of_a_router(self):
        direct = self.cluster.client(self.cluster.address("router"), "clinic-a")
        self.addCleanup(direct.close)
        events = [list(client.generate(self.cluster.request(max_new_tokens=100))) for client in (direct, self.client())]
        for stream in events:
            self.assertTrue(stream[0].HasField("started"))
            self.assertTrue(stream[-1].HasField("finished"))
        ids = [[token for event in stream for token in event.delta.token_ids] for stream in events]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(len(ids[0]), 100)

    def test_an_answer_comes_while_it_is_made(self):
        call = self.hold(self.client())  # More is to come than all buffers hold.
        self.assertGreater(self.running(), 0)
        self.assertTrue(list(call)[-1].HasField("finished"))

    def test_a_cancelled_call_ends_in_the_cluster(self):
        before = self.cluster.calls("clinic-b", 'code="CANCELLED"')
        call = self.hold(self.client("clinic-b"))
        call.cancel()
        eventually(lambda: self.cluster.calls("clinic-b", 'code="CANCELLED"') == before + 1, "the router ends the call")
        eventually(lambda: self.running() == 0, "no call runs")

    def test_a_deadline_ends_a_call_in_the_cluster(self):
        call = self.hold(self.client("clinic-c"), timeout=3)
        eventually(lambda: self.cluster.calls("clinic-c") == 1, "the router ends the call")
        self.assertEqual(call.code(), Code.DEADLINE_EXCEEDED)
        self.assertEqual(self.cluster.calls("clinic-c", 'code="OK"'), 0)
        eventually(lambda: self.running() == 0, "no call runs")

    def test_wrong_fields_come_with_their_names(self):
        error = failure_of(lambda: self.complete(self.client(), prompt="", request_id="wrong-one"))
        self.assertEqual(error.code(), Code.INVALID_ARGUMENT)
        (violation,) = details_of(error)["BadRequest"].field_violations
        self.assertEqual(violation.field, "prompt")
        self.assertEqual(trailers_of(error)["x-request-id"], "wrong-one")

    def test_refusals_say_when_to_try_again(self):
        client = self.client("limited")
        for _ in range(2 * 2):  # Each router has a bucket for one such call.
            try:
                self.complete(client)
            except grpc.RpcError as error:
                self.assertEqual(error.code(), Code.RESOURCE_EXHAUSTED)
                details = details_of(error)
                self.assertEqual(details["QuotaFailure"].violations[0].subject, "caller:limited")
                self.assertGreater(details["RetryInfo"].retry_delay.seconds, 1)
                self.assertIn("retry-after", trailers_of(error))
                self.assertIn("grpc-retry-pushback-ms", trailers_of(error))
                return
        self.fail("no call was refused")

    def test_reflection_and_health_pass_and_nothing_else(self):
        client = self.client("operations")
        reflect = client.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        self.assertIn(b"apollo.v1.InferenceService", next(reflect(iter([b"\x3a\x01*"]), timeout=SECONDS)))
        check = client.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=SECONDS), b"\x08\x01")  # SERVING
        for path in ("/apollo.internal.v1.DenseWorkerService/Describe", "/apollo.v1.AdminService/GetConfig"):
            error = failure_of(lambda path=path: client.channel.unary_unary(path)(b"", timeout=SECONDS))
            self.assertEqual(error.code(), Code.UNIMPLEMENTED, path)

    def test_logs_tell_who_called_but_not_what(self):
        self.complete(self.client(), prompt="Has the canary a fever?", request_id="logged-one")
        (call,) = eventually(lambda: [call for call in self.envoy.calls() if call["request_id"] == "logged-one"],
                             "the call is logged")
        self.assertEqual(call["client_uri"], "spiffe://apollo/client/clinic-a")
        self.assertEqual((call["method"], call["code"]), ("/apollo.v1.InferenceService/Complete", "OK"))
        self.assertNotIn("canary", json.dumps(self.envoy.calls()) + self.envoy.log())

    def test_metrics_are_all_that_the_port_of_metrics_has(self):
        with urllib.request.urlopen(f"http://{self.envoy.metrics}/metrics", timeout=SECONDS) as answer:
            self.assertIn("envoy_cluster_membership_healthy", answer.read().decode())
        for path in ("/config_dump", "/quitquitquit", "/stats"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"http://{self.envoy.metrics}{path}", timeout=SECONDS)
            caught.exception.close()
            self.assertEqual(caught.exception.code, 404, path)
        self.assertEqual(self.envoy.admin.stat().st_mode & 0o777, 0o600)

    def test_the_configuration_is_not_outdated(self):
        for word in ("eprecated", "removed guard"):
            self.assertNotIn(word, self.envoy.log())


class IdentityTest(EdgeTest):
    def spoofed(self, uri):
        return (("x-apollo-caller-san", uri), ("x-forwarded-client-cert", f"Hash=00;URI={uri}"))

    def test_a_caller_is_that_of_its_certificate(self):
        self.complete(self.client("clinic-a"))
        self.assertEqual(self.cluster.calls("clinic-a", 'code="OK"'), 1)
        self.complete(self.client("clinic-a"), self.spoofed("spiffe://apollo/client/clinic-b"))
        self.assertEqual(self.cluster.calls("clinic-a", 'code="OK"'), 2)
        self.assertEqual(self.cluster.calls("clinic-b"), 0)
        self.assertEqual(self.cluster.calls("proxy"), 0)

    def test_rights_are_those_of_the_caller(self):
        for name, metadata, code in (
                ("operations", (), None),
                ("clinic-c", (), Code.PERMISSION_DENIED),
                ("clinic-c", self.spoofed("spiffe://apollo/admin/operations"), Code.PERMISSION_DENIED),
                ("stranger", (), Code.PERMISSION_DENIED),
                ("stranger", self.spoofed("spiffe://apollo/admin/operations"), Code.PERMISSION_DENIED)):
            with self.subTest(name=name, spoofed=bool(metadata)):
                def call(name=name, metadata=metadata):
                    return self.client(name).call("GetStatus", b"", "GetStatusResponse", metadata=metadata)
                if code is None:
                    self.assertTrue(call().processes)
                else:
                    self.assertEqual(failure_of(call).code(), code)

    def test_only_certificates_of_callers_connect(self):
        handshakes = self.envoy.stat("listener.127.0.0.1_0.ssl.handshake")
        calls = self.cluster.total("apollo_caller_requests_total")
        others = self.folder / "others"
        make_certificates(others, "client/clinic-a")
        for name, folder in ((None, None), ("clinic-a", others), ("worker", None), ("proxy", None), ("second", None)):
            with self.subTest(name=name, folder=folder):
                error = failure_of(lambda name=name, folder=folder: self.complete(self.client(name, folder)))
                self.assertEqual(error.code(), Code.UNAVAILABLE)
        self.assertEqual(self.cluster.total("apollo_caller_requests_total"), calls)
        self.assertEqual(self.envoy.stat("listener.127.0.0.1_0.ssl.handshake"), handshakes)
        self.assertEqual(self.envoy.calls_of(None) if hasattr(self.envoy, "calls_of") else [], [])


class LimitTest(EdgeTest):
    OPTIONS = ("--calls-per-second=1", "--max-streams=2", "--max-message-bytes=10000", "--max-metadata-kilobytes=4")

    def test_limits(self):
        client = self.client()
        with self.subTest("calls of an address: two at once"):
            errors = []
            for _ in range(20):
                try:
                    self.complete(client)
                except grpc.RpcError as error:
                    errors.append(error)
            self.assertTrue(errors)
            for error in errors:
                self.assertEqual(error.code(), Code.RESOURCE_EXHAUSTED)
                self.assertEqual(trailers_of(error)["retry-after"], "1")
                self.assertEqual(trailers_of(error)["grpc-retry-pushback-ms"], "1000")


if __name__ == "__main__":
    del EdgeTest  # It has no cases itself.
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

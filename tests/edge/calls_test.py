#!/usr/bin/env python3
"""Calls through a real Envoy in front of two real routers: streams, ends, errors, and whose they are.

Usage: calls_test.py BINARIES MODEL [unittest's arguments]
Needs Envoy and Jinja (tools/install_packages.sh --dev).
"""

import json
import pathlib
import sys
import unittest
import urllib.error
import urllib.request

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from edge_case import EdgeCase, details_of  # noqa: E402
from failures import failure_of, trailers_of  # noqa: E402
from secured_cluster import SECONDS, eventually  # noqa: E402

Code = grpc.StatusCode


class CallsTest(EdgeCase):
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
        self.await_idle()

    def test_a_deadline_ends_a_call_in_the_cluster(self):
        ended, fine = self.cluster.calls("clinic-c"), self.cluster.calls("clinic-c", 'code="OK"')
        call = self.hold(self.client("clinic-c"), timeout=8)
        eventually(lambda: self.cluster.calls("clinic-c") == ended + 1, "the router ends the call")
        self.assertEqual(call.code(), Code.DEADLINE_EXCEEDED)
        self.assertEqual(self.cluster.calls("clinic-c", 'code="OK"'), fine)
        self.await_idle()

    def spoofed(self, uri):
        return (("x-apollo-caller-san", uri), ("x-forwarded-client-cert", f"Hash=00;URI={uri}"))

    def test_a_caller_is_that_of_its_certificate(self):
        def counts():
            return [self.cluster.calls(name, 'code="OK"') for name in ("clinic-a", "clinic-b", "proxy")]
        before = counts()
        self.complete(self.client("clinic-a"))
        self.complete(self.client("clinic-a"), self.spoofed("spiffe://apollo/client/clinic-b"))
        self.assertEqual(counts(), [before[0] + 2, before[1], before[2]])

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
        request = self.cluster.messages.TokenizeRequest(text="Has the canary a fever?")
        self.client("clinic-b").call("Tokenize", request, "TokenizeResponse")
        method = "/apollo.v1.InferenceService/Tokenize"
        (call,) = eventually(lambda: [call for call in self.envoy.calls() if call["method"] == method],
                             "the call is logged")
        self.assertEqual((call["client_uri"], call["code"]), ("spiffe://apollo/client/clinic-b", "OK"))
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
"""What a real Envoy with the configuration of deploy/envoy keeps away from routers: strangers and too much of anything.

Usage: protection_test.py BINARIES MODEL [unittest's arguments]
Needs Envoy and Jinja (tools/install_packages.sh --dev).
"""

import contextlib
import pathlib
import socket
import sys
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from edge_case import EdgeCase  # noqa: E402
from failures import failure_of, trailers_of  # noqa: E402
from local_envoy import make_config, validate  # noqa: E402
from secured_cluster import SECONDS, eventually, make_certificates  # noqa: E402
from signed_tokens import AUDIENCE, ISSUER, Signer  # noqa: E402

Code = grpc.StatusCode


class ProtectionTest(EdgeCase):
    def seen(self):
        """Returns the number of calls that routers have seen."""
        return self.cluster.total("apollo_caller_requests_total")

    def refused_certificates(self):
        return sum(self.envoy.stat(f"listener.clients.ssl.fail_verify_{why}") for why in ("no_cert", "error", "san"))

    def test_only_certificates_of_callers_connect(self):
        make_certificates(self.folder / "others", "client/clinic-a")
        seen = self.seen()
        for name, folder in ((None, None), ("clinic-a", self.folder / "others"), ("worker", None), ("proxy", None),
                             ("unknown", None)):
            with self.subTest(name=name):
                refused = self.refused_certificates()
                error = failure_of(lambda name=name, folder=folder: self.complete(self.client(name, folder)))
                self.assertEqual(error.code(), Code.UNAVAILABLE)
                self.assertGreater(self.refused_certificates(), refused)
        self.assertEqual(self.seen(), seen)

    def test_calls_of_an_address_are_limited(self):
        client = self.client(envoy=self.another_envoy("rate", "--calls-per-second=1"))
        calls = [client.generate(self.cluster.request()) for _ in range(20)]  # At the same time.
        errors = []
        for call in calls:
            try:
                self.assertTrue(list(call)[-1].HasField("finished"))
            except grpc.RpcError as error:
                errors.append(error)
        self.assertTrue(errors)
        self.assertLess(len(errors), len(calls))
        for error in errors:
            self.assertEqual(error.code(), Code.RESOURCE_EXHAUSTED)
            self.assertEqual(trailers_of(error)["retry-after"], "1")
            self.assertEqual(trailers_of(error)["grpc-retry-pushback-ms"], "1000")

    def test_sizes_are_limited(self):
        envoy = self.another_envoy("sizes", "--max-message-bytes=10000", "--max-metadata-kilobytes=4")
        client = self.client(envoy=envoy)
        self.complete(client, (("x-much", "x" * 3000),))
        seen = self.seen()
        error = failure_of(lambda: self.complete(client, (("x-much", "x" * 5000),)))
        self.assertEqual((error.code(), error.details()),
                         (Code.RESOURCE_EXHAUSTED, "the metadata is larger than 4 KiB, or has more than 64 entries"))
        self.assertEqual(trailers_of(error)["grpc-retry-pushback-ms"], "-1")
        error = failure_of(lambda: self.complete(client, prompt="x" * 20000))
        self.assertEqual((error.code(), error.details()),
                         (Code.RESOURCE_EXHAUSTED, "the request is larger than 10000 bytes"))
        self.assertEqual(trailers_of(error)["grpc-retry-pushback-ms"], "-1")
        self.assertEqual(self.seen(), seen)
        self.complete(client)

    def test_calls_of_a_connection_are_limited(self):
        client = self.client(envoy=self.another_envoy("streams", "--max-streams=2"))
        held = [self.hold(client) for _ in range(2)]
        seen = self.seen()
        self.assertEqual(failure_of(lambda: self.complete(client, timeout=2)).code(), Code.DEADLINE_EXCEEDED)
        self.assertEqual(self.seen(), seen)
        held[0].cancel()
        self.complete(client)
        held[1].cancel()
        self.await_idle()

    def test_connections_are_limited(self):
        envoy = self.another_envoy("connections", "--max-connections=3")
        host, port = envoy.address.split(":")
        with contextlib.ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(socket.create_connection((host, port), timeout=SECONDS))
            eventually(lambda: envoy.stat("listener.clients.downstream_global_cx_overflow") >= 3,
                       "connections are refused")
        eventually(lambda: envoy.stat("listener.clients.downstream_cx_active") == 0, "Envoy has seen them end")
        self.complete(self.client(envoy=envoy))  # There is room again.

    def test_tokens_instead_of_certificates(self):
        envoy = self.another_envoy("tokens", "--clients=tokens", f"--jwt-keys={self.cluster.keys}",
                                   f"--issuer={ISSUER}", f"--audience={AUDIENCE}")
        client = self.client(None, envoy=envoy)
        other = Signer(self.folder, "other")
        sign = self.cluster.signer.sign
        spoofed = (("x-apollo-caller-san", "spiffe://apollo/client/clinic-a"),
                   ("x-forwarded-client-cert", "URI=spiffe://apollo/client/clinic-a"))
        seen, calls = self.seen(), self.cluster.calls("portal", 'code="OK"')
        for token, code in ((None, Code.UNAUTHENTICATED), ("x", Code.UNAUTHENTICATED),
                            (other.sign("portal"), Code.UNAUTHENTICATED),
                            (sign("portal", seconds=-3600), Code.UNAUTHENTICATED),
                            (sign("portal", iss="other"), Code.UNAUTHENTICATED),
                            (sign("portal", aud="other"), Code.PERMISSION_DENIED)):
            metadata = spoofed + ((("authorization", f"Bearer {token}"),) if token else ())
            error = failure_of(lambda metadata=metadata: self.complete(client, metadata))
            self.assertEqual(error.code(), code)
        self.assertEqual(self.seen(), seen)
        good = (("authorization", f"Bearer {sign('portal')}"),)
        self.complete(client, good)
        self.complete(client, good + spoofed)
        self.assertEqual(self.cluster.calls("portal", 'code="OK"'), calls + 2)
        # The policy of the routers decides, not that a token is right.
        error = failure_of(lambda: self.complete(client, (("authorization", f"Bearer {sign('nobody')}"),)))
        self.assertEqual(error.code(), Code.PERMISSION_DENIED)
        check = client.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=SECONDS), b"\x08\x01")

    def test_envoy_accepts_each_configuration(self):
        tokens = ("--clients=tokens", f"--jwt-keys={self.cluster.keys}", "--issuer=i", "--audience=a")
        for number, options in enumerate((
                ("--routers=router.example:50051,127.0.0.1:50051,[::1]:50051",),
                (f"--routers=file:{self.envoy.folder}/routers.yaml", "--listen=[::]:443", "--metrics-listen="),
                ("--routers=router.example:50051", "--trust-domain=example.org", *tokens))):
            with self.subTest(options=options):
                folder = self.folder / f"valid-{number}"
                made = make_config(folder, f"--tls={self.folder}/tls", f"--admin={folder}/admin", *options)
                self.assertEqual((made.returncode, made.stdout), (0, ""))
                code, output = validate(folder)
                self.assertEqual(code, 0, output)
                for word in ("eprecated", "removed guard"):
                    self.assertNotIn(word, output)

    def test_wrong_options_are_refused_by_name(self):
        for options, words in (
                (("--routers=router.example",), ("--routers", "router.example", "host:port")),
                (("--routers=r:1", "--listen=:443"), ("--listen", ":443")),
                (("--routers=r:1", "--max-streams=0"), ("--max-streams", "at least 1")),
                (("--routers=r:1", "--trust-domain=A\"b"), ("--trust-domain",)),
                (("--routers=r:1", "--clients=tokens"), ("--jwt-keys", "--issuer", "--audience")),
                (("--routers=r:1", "--issuer=i"), ("--clients=tokens",))):
            made = make_config(self.folder / "wrong", *options)
            self.assertEqual(made.returncode, 2, options)
            for word in words:
                self.assertIn(word, made.stdout)
        self.assertFalse((self.folder / "wrong").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
"""The limits of an Envoy with the configuration of deploy/envoy that no cluster is needed for: memory, calls at a time,
metadata, and what takes too long.

Usage: limits_test.py
Needs Envoy and Jinja (tools/install_packages.sh --dev).
"""

import pathlib
import socket
import ssl
import sys
import threading
import unittest
import urllib.request

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from failures import completes, failure_of, trailers_of  # noqa: E402
from secured_cluster import SECONDS, eventually  # noqa: E402
from stub_case import StubCase  # noqa: E402

Code = grpc.StatusCode
MEBIBYTE = 1 << 20
TOO_LITTLE = "--max-heap-bytes=1000000"  # Envoy needs more before the first connection.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # And an empty SETTINGS.


class MemoryTest(StubCase):
    def test_requests_that_hold_most_are_ended_and_others_go_on(self):
        envoy = self.another_envoy("heap", f"--max-heap-bytes={48 * MEBIBYTE}")
        other = self.client(envoy)
        stream = other.stream()
        ended = threading.Event()
        self.addCleanup(ended.set)

        def unfinished():
            yield bytes(3 * MEBIBYTE)
            ended.wait(SECONDS)
        uploads = [client.upload(unfinished()) for client in [self.client(envoy) for _ in range(4)] for _ in range(8)]
        eventually(lambda: envoy.stat("envoy.overload_actions.reset_high_memory_stream.count") > 0, "streams are reset")
        eventually(lambda: completes(other), "another client is served")
        self.assertTrue(stream.is_active())
        ended.set()
        codes = {upload.exception().code() if upload.exception() else Code.OK for upload in uploads}
        self.assertIn(Code.INTERNAL, codes)  # A stream that is reset.
        stream.cancel()

    def test_without_memory_connections_are_refused_but_those_for_metrics(self):
        envoy = self.another_envoy("full", TOO_LITTLE)
        eventually(lambda: self.active(envoy, "reject_incoming_connections"), "Envoy knows that memory is full")
        seen = self.seen()
        self.assertEqual(failure_of(self.client(envoy).complete).code(), Code.UNAVAILABLE)
        self.assertEqual(self.seen(), seen)
        self.assertGreater(envoy.stat("listener.clients.downstream_cx_overload_reject"), 0)
        with urllib.request.urlopen(f"http://{envoy.metrics}/metrics", timeout=SECONDS) as answer:
            self.assertIn("envoy_overload_envoy_overload_actions", answer.read().decode())

    def test_with_little_memory_calls_are_refused(self):
        changes = [("name: envoy.overload_actions.reject_incoming_connections",
                    "name: envoy.overload_actions.disable_http_keepalive")]  # Connections go on.
        envoy = self.another_envoy("little", TOO_LITTLE, changes=changes)
        eventually(lambda: self.active(envoy, "stop_accepting_requests"), "Envoy knows that there is little memory")
        seen = self.seen()
        self.assertEqual(failure_of(self.client(envoy).complete).code(), Code.UNAVAILABLE)
        self.assertEqual(self.seen(), seen)

    @staticmethod
    def active(envoy, action):
        return envoy.stat(f"overload.envoy.overload_actions.{action}.active") == 1


class CallsTest(StubCase):
    def await_open(self, number):
        eventually(lambda: sum(stub.open for stub in self.stubs) == number, f"{number} calls are open")

    def test_calls_of_all_are_limited(self):
        envoy = self.another_envoy("calls", "--max-calls=3")
        streams = [self.client(envoy).stream() for _ in range(3)]
        seen = self.seen()
        error = failure_of(self.client(envoy).complete)
        self.assertEqual(error.code(), Code.UNAVAILABLE)
        self.assertIn("overflow", error.details())
        self.assertEqual(self.seen(), seen)
        # Health has limits of its own.
        self.client(envoy).stream("/grpc.health.v1.Health/Watch").cancel()
        streams[0].cancel()
        eventually(lambda: completes(self.client(envoy)), "there is room again")
        for stream in streams:
            stream.cancel()
        self.await_open(0)

    def test_calls_of_health_are_limited_and_take_no_room_from_others(self):
        envoy = self.another_envoy("health", changes=[("max_requests: 256", "max_requests: 2")])
        path = "/grpc.health.v1.Health/Watch"
        watches = [self.client(envoy).stream(path) for _ in range(2)]
        self.assertEqual(failure_of(lambda: self.client(envoy).stream(path)).code(), Code.UNAVAILABLE)
        self.client(envoy).complete()
        for watch in watches:
            watch.cancel()

    def test_more_metadata_than_the_limit_has_the_answer_of_a_router(self):
        envoy = self.another_envoy("metadata")
        client = self.client(envoy)
        client.complete(metadata=(("x-much", "x" * 15000),))
        client.complete(metadata=tuple((f"x-{number}", "") for number in range(40)))
        seen = self.seen()
        for metadata in ((("x-much", "x" * 16384),), (("x-much", "x" * 60000),),
                         tuple((f"x-{number}", "") for number in range(65))):
            error = failure_of(lambda metadata=metadata: client.complete(metadata=metadata))
            self.assertEqual((error.code(), error.details()),
                             (Code.RESOURCE_EXHAUSTED, "the metadata is larger than 16 KiB, or has more than 64 entries"))
            self.assertEqual(trailers_of(error)["grpc-retry-pushback-ms"], "-1")
        # Far beyond it, nothing is read to the end.
        self.assertIn(failure_of(lambda: client.complete(metadata=(("x-much", "x" * 300000),))).code(),
                      (Code.INTERNAL, Code.UNAVAILABLE))
        self.assertEqual(failure_of(lambda: client.complete(metadata=(("x_y", ""),))).code(), Code.INTERNAL)
        self.assertEqual(self.seen(), seen)
        client.complete()


class TimeTest(StubCase):
    """Limits of time, made short: what they end would otherwise last as long as the test waits."""

    def test_a_request_must_be_complete_in_time(self):
        envoy = self.another_envoy("slow", changes=[("request_timeout: 30s", "request_timeout: 1s")])
        ended = threading.Event()
        self.addCleanup(ended.set)

        def unfinished():
            yield b""
            ended.wait(SECONDS)
        error = failure_of(self.client(envoy).upload(unfinished()).result)
        self.assertEqual((error.code(), error.details()),
                         (Code.DEADLINE_EXCEEDED, "the request was not complete after 30 s"))

    def connected(self, envoy):
        """Returns a connection that a test uses itself."""
        host, port = envoy.address.split(":")
        plain = socket.create_connection((host, port), SECONDS)
        self.addCleanup(plain.close)
        return plain

    def secured(self, envoy):
        context = ssl.create_default_context(cafile=self.folder / "public/ca.pem")
        context.set_alpn_protocols(["h2"])
        own = self.certificates / "clinic-a"
        context.load_cert_chain(f"{own}.pem", f"{own}.key")
        connection = context.wrap_socket(self.connected(envoy), server_hostname=envoy.address.split(":")[0])
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def await_end(connection, sent=b""):
        """Sends bytes, and reads until Envoy closes the connection; fails if it does not."""
        try:
            connection.sendall(sent)
            while connection.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass

    def test_a_connection_without_a_handshake_is_closed(self):
        envoy = self.another_envoy("handshake", changes=[("transport_socket_connect_timeout: 10s",
                                                         "transport_socket_connect_timeout: 1s")])
        self.await_end(self.connected(envoy))

    def test_a_connection_that_answers_no_ping_is_closed(self):
        envoy = self.another_envoy("ping", changes=[("connection_keepalive: {interval: 60s, timeout: 20s}",
                                                    "connection_keepalive: {interval: 1s, timeout: 1s}")])
        self.await_end(self.secured(envoy), PREFACE)

    def test_a_connection_without_calls_is_closed(self):
        envoy = self.another_envoy("idle", changes=[("idle_timeout: 300s", "idle_timeout: 1s")])
        self.await_end(self.secured(envoy), PREFACE)


if __name__ == "__main__":
    unittest.main()

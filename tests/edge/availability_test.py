#!/usr/bin/env python3
"""Routers that stop, freeze and come back, and certificates that are renewed, behind a real Envoy with the configuration
of deploy/envoy: no call fails that need not.

Usage: availability_test.py BINARIES MODEL [unittest's arguments]
Needs Envoy and Jinja (tools/install_packages.sh --dev).
"""

import pathlib
import shutil
import socket
import ssl
import sys
import threading
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from edge_case import EdgeCase  # noqa: E402
from failures import failure_of  # noqa: E402
from secured_cluster import SECONDS, eventually, make_certificates  # noqa: E402

Code = grpc.StatusCode
ROUTERS = ("router", "router-1")


class Load(threading.Thread):
    """Makes one call after the other until it is ended. Keeps the errors."""

    def __init__(self, case, client):
        super().__init__()
        self._case, self._client, self._ended = case, client, threading.Event()
        self.count, self.errors = 0, []

    def run(self):
        while not self._ended.is_set():
            try:
                events = list(self._client.generate(self._case.cluster.request()))
                if not events[-1].HasField("finished"):
                    self.errors.append("an answer is not complete")
            except grpc.RpcError as error:
                self.errors.append(f"{error.code()}: {error.details()}")
            self.count += 1

    def end(self):
        self._ended.set()
        self.join()


class AvailabilityTest(EdgeCase):
    # The load below comes from one address.
    OPTIONS = ("--calls-per-second=10000",)

    def setUp(self):
        self.envoy.await_healthy(*ROUTERS)

    def restart(self, name):
        """Starts a router again, which has a new address, and waits until it gets calls."""
        self.cluster.do("start", name)
        self.envoy.list_routers()
        self.envoy.await_healthy(*ROUTERS)

    def load(self):
        loads = [Load(self, self.client()) for _ in range(3)]
        for load in loads:
            self.addCleanup(load.end)
            load.start()
        self.await_calls(loads)
        return loads

    def await_calls(self, loads):
        """Waits for calls of each that begin from now on."""
        before = [load.count for load in loads]
        eventually(lambda: all(load.count >= count + 3 for load, count in zip(loads, before)), "calls")

    def test_a_router_that_stops_fails_no_call(self):
        loads = self.load()
        for name in ROUTERS:
            self.assertEqual(self.cluster.do("stop", name), {"exit_code": 0})
            self.await_calls(loads)
            self.restart(name)
            self.await_calls(loads)
        for load in loads:
            load.end()
            self.assertEqual(load.errors, [])

    def test_a_router_that_stops_ends_its_streams_first(self):
        self.cluster.await_idle()
        call = self.hold(self.client())
        (name,) = [name for name in ROUTERS if "apollo_num_requests_running 1" in self.cluster.metrics(name)]
        stopped = []
        stopping = threading.Thread(target=lambda: stopped.append(self.cluster.do("stop", name)))
        stopping.start()
        (other,) = set(ROUTERS) - {name}
        self.envoy.await_healthy(other)
        self.assertTrue(list(call)[-1].HasField("finished"))
        stopping.join()
        self.assertEqual(stopped, [{"exit_code": 0}])  # An assertion in a thread fails no test.
        self.restart(name)

    def test_a_router_that_does_not_answer_gets_no_calls(self):
        self.cluster.freeze("router-1")
        self.addCleanup(self.cluster.thaw, "router-1")
        self.envoy.await_healthy("router")
        client = self.client()
        for _ in range(6):
            self.complete(client)
        self.cluster.thaw("router-1")
        self.envoy.await_healthy(*ROUTERS)

    def test_calls_to_a_router_that_died_go_elsewhere(self):
        client = self.client()
        self.cluster.do("kill", "router-1")
        for _ in range(6):
            self.complete(client)
        self.restart("router-1")

    def test_routers_without_workers_get_no_calls(self):
        self.cluster.do("kill", "dense-worker-0")
        self.envoy.await_healthy()
        error = failure_of(lambda: self.complete(self.client()))
        self.assertEqual((error.code(), error.details()), (Code.UNAVAILABLE, "no healthy upstream"))
        self.cluster.do("start", "dense-worker-0")
        self.envoy.await_healthy(*ROUTERS)
        self.complete(self.client())

    def test_a_renewed_certificate_is_used(self):
        context = ssl.create_default_context(cafile=self.folder / "public/ca.pem")
        own = self.cluster.certificates / "clinic-a"
        context.load_cert_chain(f"{own}.pem", f"{own}.key")

        def certificate():
            host, port = self.envoy.address.split(":")
            with socket.create_connection((host, port), SECONDS) as plain, \
                    context.wrap_socket(plain, server_hostname=host) as secured:
                return secured.getpeercert(binary_form=True)
        old = certificate()
        self.assertEqual(certificate(), old)
        renewed = self.folder / "renewed"
        renewed.mkdir()
        for name in ("ca.pem", "ca.key"):
            shutil.copy(self.folder / "public" / name, renewed)
        make_certificates(renewed, "edge/server")
        for kind in ("key", "pem"):
            (renewed / f"server.{kind}").rename(self.folder / f"tls/server.{kind}")
        new = ssl.PEM_cert_to_DER_cert((self.folder / "tls/server.pem").read_text())
        self.assertNotEqual(new, old)
        eventually(lambda: certificate() == new, "clients see the new certificate")
        self.complete(self.client())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

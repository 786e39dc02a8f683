#!/usr/bin/env python3
"""An Envoy with the configuration of deploy/envoy finds routers by a name, whose addresses come and go: a real Envoy, and
dnsmasq as DNS server.

Usage: dns_test.py
Needs Envoy, Jinja and dnsmasq (tools/install_packages.sh --dev).
"""

import pathlib
import random
import sys
import unittest

import grpc

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/edge", "tests/discovery")]
from failures import completes, failure_of  # noqa: E402
from local_dns import LocalDns  # noqa: E402
from secured_cluster import eventually  # noqa: E402
from stub_case import StubCase, StubRouters  # noqa: E402
from stub_router import StubRouter  # noqa: E402

NAME = "routers.test"


class DnsTest(StubCase):
    def setUp(self):
        # Addresses of this test, so that one port is free at each.
        network = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        first = StubRouter(self.certificates, f"{network}.1")
        port = int(first.address.rpartition(":")[2])
        self.routers = {"one": first, "two": StubRouter(self.certificates, f"{network}.2", port),
                        "three": StubRouter(self.certificates, f"{network}.3", port)}
        for router in self.routers.values():
            self.addCleanup(router.stop)
        folder = self.folder / self.id().rpartition(".")[2]
        folder.mkdir()
        self.dns = LocalDns(folder)
        self.addCleanup(self.dns.stop)
        self.name("one", "two")
        routers = StubRouters({name: self.routers[name] for name in ("one", "two")})
        self.envoy = self.another_envoy(folder.name[-12:], f"--routers={NAME}:{port}",
                                        f"--dns-server={self.dns.address}", cluster=routers)

    def name(self, *routers):
        """Gives the name the addresses of these routers."""
        hosts = [self.routers[router].address.rpartition(":")[0] for router in routers]
        self.dns.set_hosts({NAME: hosts} if hosts else {})

    def await_healthy(self, *routers):
        wanted = {self.routers[router].address for router in routers}
        eventually(lambda: self.envoy.healthy() == wanted, f"the healthy routers are {routers}")

    def await_called(self, *routers):
        """Waits until these routers get calls, of many, and no others."""
        client = self.client(self.envoy)

        def called():
            before = {name: router.seen for name, router in self.routers.items()}
            for _ in range(40):
                completes(client)  # All may be unhealthy for a moment on a busy machine.
            return {name for name, router in self.routers.items() if router.seen > before[name]}
        eventually(lambda: called() == set(routers), f"calls go to {routers}")

    def test_all_addresses_of_a_name_get_calls(self):
        self.await_called("one", "two")
        self.name("one", "two", "three")
        self.await_called("one", "two", "three")

    def test_an_address_that_is_gone_gets_no_more_calls_but_ends_its_own(self):
        client = self.client(self.envoy)
        streams = [client.stream() for _ in range(20)]
        self.assertGreater(self.routers["two"].open, 0)
        self.name("one")
        self.await_healthy("one")
        self.await_called("one")
        for router in self.routers.values():
            router.release()
        for stream in streams:
            self.assertEqual(list(stream), [])  # No error.

    def test_routers_are_kept_while_no_server_answers(self):
        self.dns.stop()
        eventually(lambda: self.envoy.stat("cluster.routers.update_failure") > 0, "a look-up has failed")
        self.await_called("one", "two")

    def test_a_name_without_addresses_has_no_routers(self):
        self.name()
        self.await_healthy()
        error = failure_of(self.client(self.envoy).complete)
        self.assertEqual((error.code(), error.details()), (grpc.StatusCode.UNAVAILABLE, "no healthy upstream"))
        self.name("two")
        self.await_called("two")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The limits of the connections of each address: the rules of deploy/envoy/connections.nft.j2 in the kernel, in a network
of this test's own, in front of a real Envoy.

Usage: connections_test.py
Needs Envoy, Jinja, nft and ip (tools/install_packages.sh --dev), and the right to make namespaces.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from failures import completes  # noqa: E402
from local_envoy import make_config  # noqa: E402
from secured_cluster import SECONDS, eventually  # noqa: E402
from stub_case import StubCase  # noqa: E402

# Tests of Bazel have only the folders of all users in their PATH; nft and ip are in those of root.
os.environ["PATH"] += ":/usr/sbin:/sbin"
INSIDE = "APOLLO_TEST_NETWORK"  # Is set in the network of this test.
ENTER = ["unshare", "--map-root-user", "--net"]
MANY = "--address-connections=1000000"
SITE, OTHER_SITE = "fd00:0:0:1", "fd00:0:0:2"


def run(*command):
    subprocess.run(command, check=True)


class ConnectionsTest(StubCase):
    def limited_envoy(self, name, *options):
        """Returns an Envoy whose rules the kernel has, and which itself closes no connection."""
        envoy = self.another_envoy(name, *options, changes=[("transport_socket_connect_timeout: 10s",
                                                             "transport_socket_connect_timeout: 3600s")])
        run("nft", "--file", str(self.folder / name / "connections.nft"))
        return envoy

    def connect(self, stack, target, source):
        """Returns a connection from an address, or None if it is refused."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        connection = stack.enter_context(socket.socket(family))
        connection.settimeout(SECONDS)
        connection.bind((source, 0))
        try:
            connection.connect(target)
        except ConnectionRefusedError:
            return None
        return connection

    @staticmethod
    def target(envoy, host="127.0.0.1"):
        return host, int(envoy.address.rpartition(":")[2])

    def test_open_connections_of_an_address_are_limited(self):
        envoy = self.limited_envoy("open", "--address-connections=3", "--address-connections-per-second=100000")
        target = self.target(envoy)
        with contextlib.ExitStack() as stack:
            taken = [self.connect(stack, target, "127.0.0.2") for _ in range(5)]
            self.assertEqual([bool(connection) for connection in taken], [True] * 3 + [False] * 2)
            # Others have room, and are served.
            self.assertTrue(all(self.connect(stack, target, "127.0.0.3") for _ in range(3)))
            eventually(lambda: completes(self.client(envoy)), "another address is served")
            taken[0].close()
            eventually(lambda: self.connect(stack, target, "127.0.0.2"), "there is room again")
            self.assertIsNone(self.connect(stack, target, "127.0.0.2"))

    def test_new_connections_of_an_address_are_limited(self):
        envoy = self.limited_envoy("new", MANY, "--address-connections-per-second=1")
        target = self.target(envoy)

        def opened(source):
            with contextlib.ExitStack() as stack:
                return self.connect(stack, target, source) is not None
        self.assertTrue(opened("127.0.0.2"))
        eventually(lambda: not opened("127.0.0.2"), "a connection is refused")
        self.assertTrue(opened("127.0.0.3"))
        eventually(lambda: opened("127.0.0.2"), "one is taken later")

    def test_a_network_of_ipv6_is_one_address(self):
        self.limited_envoy("ipv6", "--address-connections=2", "--address-connections-per-second=100000",
                           "--listen=[::1]:40443")
        target = ("::1", 40443)
        with contextlib.ExitStack() as stack:
            taken = [bool(self.connect(stack, target, source))
                     for source in (f"{SITE}::1", f"{SITE}::2", f"{SITE}::1", f"{SITE}::3", f"{OTHER_SITE}::1")]
        self.assertEqual(taken, [True, True, False, False, True])

    def test_rules_may_be_loaded_again_and_are_those_of_one_edge(self):
        for number in (1, 2):
            folder = self.folder / f"rules-{number}"
            made = make_config(folder, "--routers=r:1", f"--address-connections={number}")
            self.assertEqual((made.returncode, made.stdout), (0, ""))
            for _ in range(2):
                run("nft", "--file", str(folder / "connections.nft"))
        rules = subprocess.run(["nft", "list", "table", "inet", "apollo_edge"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        self.assertEqual((rules.count("ct count over 2"), rules.count("ct count over 1")), (2, 0))
        self.assertEqual(rules.count("tcp dport 443"), 1)


def enter():
    """Runs this program again in a network of its own, with loopback only. Returns the reason if that is not possible."""
    made = subprocess.run([*ENTER, "nft", "list", "ruleset"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if made.returncode == 0:
        os.execvpe(ENTER[0], [*ENTER, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    return made.stdout.strip()


def main():
    if INSIDE not in os.environ:
        print(f"SKIPPED: no rules in a network of this test's own: {enter()}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    run("ip", "link", "set", "lo", "up")
    for prefix in (SITE, OTHER_SITE):
        for number in (1, 2, 3):
            run("ip", "address", "add", f"{prefix}::{number}/128", "dev", "lo", "nodad")
    unittest.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())

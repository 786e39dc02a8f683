#!/usr/bin/env python3
"""Ports of 127.0.0.1 that stay free for a process that starts later, or is started again.

Programs that ask for any port, and connections, get one from a range of the system (ip_local_port_range), so a
port from there may be taken before its process listens, or while it is replaced. Those of stable_port() are not in it.

Usage: stable_ports.py NAME...   prints the file "ports" of a cluster with these processes (deploy/local/launch/ports.py)
"""

import json
import pathlib
import random
import socket
import sys

RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, LAST = 10000, 65535  # Well-known services have lower ones.
_given = set()  # By this process.


def _is_free(port, host):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As the programs do.
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def stable_port(host="127.0.0.1"):
    """Returns a port that is free at an address, which this process has not returned before."""
    low, high = map(int, RANGE.read_text(encoding="ascii").split())
    ports = [port for port in range(FIRST, LAST + 1) if not low <= port <= high] or list(range(FIRST, LAST + 1))
    while True:
        port = random.choice(ports)
        if port not in _given and _is_free(port, host):
            _given.add(port)
            return port


def ports_of(names):
    """Returns the ports of processes as cluster.sh keeps them."""
    return {name: {kind: stable_port() for kind in ("grpc", "metrics")} for name in names}


if __name__ == "__main__":
    print(json.dumps(ports_of(sys.argv[1:])))

"""The ports of a cluster's processes, which they keep when they are started again.

The file "ports" also outlives the cluster: the next one of the same folder takes the same ports if they are free.
"""

import json
import os
import socket

from . import state

KINDS = ("grpc", "metrics")


def remember(folder, names):
    """Records the ports of processes that have written their addresses."""
    known = recall(folder)
    for name in names:
        addresses = {kind: state.read_address(folder, name, kind) for kind in KINDS}
        if all(addresses.values()):
            known[name] = {kind: port_of(address) for kind, address in addresses.items()}
    state.write(os.path.join(folder, "ports"), json.dumps(known, indent=1))


def port_of(address):
    """Returns the port of "host:port"; 0 for a Unix socket."""
    return 0 if address.startswith("unix:") else int(address.rpartition(":")[2])


def recall(folder):
    """Returns the ports by name and kind. Without a valid file, there are none."""
    try:
        with open(os.path.join(folder, "ports"), encoding="utf-8") as file:
            known = json.load(file)
        return {name: {kind: int(of[kind]) for kind in KINDS} for name, of in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def free_ones(folder, name):
    """Returns the ports of a process by kind; 0, for any free port, in place of those that are unknown or in use."""
    known = recall(folder).get(name, {})
    return {kind: port if (port := known.get(kind, 0)) and is_free(port) else 0 for kind in KINDS}


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As the programs do.
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True

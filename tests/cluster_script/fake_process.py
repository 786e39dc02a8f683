#!/usr/bin/env python3
"""Stands in for router, dense_worker, expert_worker and apollo, so that the test
of cluster.sh is fast and needs no model. The file name selects the program.

A process listens, writes its address file and ends with SIGTERM. The client's
`health` succeeds if somebody listens. FAKE_DIE=NAME: that process ends at once,
with a line in its log. FAKE_SLOW=NAME: that process never listens.
FAKE_STUBBORN=NAME: that process ignores SIGTERM.
"""

import os
import signal
import socket
import sys


def client(arguments):
    host, port = arguments["--server"].split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        sys.exit(1)
    print("SERVING")


def server(arguments):
    name = arguments["--name"]
    print(" ".join(sys.argv[1:]), file=sys.stderr, flush=True)
    print("NCCL_HOSTID:", os.environ.get("NCCL_HOSTID"), file=sys.stderr, flush=True)
    if os.environ.get("FAKE_DIE") == name:
        sys.exit("cannot read the model")
    if os.environ.get("FAKE_SLOW") == name:
        signal.pause()
    stubborn = os.environ.get("FAKE_STUBBORN") == name
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: sys.exit(0)
    )
    host, port = arguments["--listen"].split(":")
    listener = socket.create_server((host, int(port)))
    path = arguments["--address_file"]
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write("grpc 127.0.0.1:%d\n" % listener.getsockname()[1])
        file.write("metrics 127.0.0.1:9\n")
    os.rename(path + ".new", path)
    while True:
        listener.accept()[0].close()


if __name__ == "__main__":
    if "--server" in sys.argv:
        client(dict(zip(sys.argv[1::2], sys.argv[2::2])))
    else:
        server(dict(argument.partition("=")[::2] for argument in sys.argv[1:]))

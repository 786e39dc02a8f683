#!/bin/bash
# gRPC (C core, 1.51.1 and 1.85.3): a call that is on its way while a server begins to stop ends with CANCELLED.
#
# A server is stopped with a grace, in which running calls may finish. The guess is that a call which
# the server has not accepted any more ends with UNAVAILABLE, the code for "try again elsewhere", or is
# sent again by the client's gRPC itself, as GOAWAY allows. But the server's core, which still reads
# such calls until its client has seen GOAWAY, answers them with the status CANCELLED, although nobody
# has cancelled anything. Clients that repeat only UNAVAILABLE lose some calls in every restart of a
# busy server, more of them the longer the way.
#
# Here a proxy keeps the server's bytes back, so that GOAWAY is late for certain: as on a long way.
#
# For those who restart servers: treat CANCELLED as UNAVAILABLE unless the client itself has cancelled.
# Here the client classes do (clients/), and so does the edge (retry_on in deploy/envoy).
#
# Usage: findings/grpc_cancelled_by_shutdown.sh  (needs Python 3.11 with venv and PyPI; 20 MB; loopback only)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/shutdown.py" << 'PYTHON'
import concurrent.futures
import socket
import threading

import grpc


class Proxy:
    """Passes bytes between a client and a server; can keep the server's back."""

    def __init__(self, target):
        self.target = target
        self.passing, self.heard = threading.Event(), threading.Event()
        self.passing.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self.to_client, args=(server, client), daemon=True).start()

    def to_server(self, client, server):
        while data := client.recv(65536):
            server.sendall(data)

    def to_client(self, server, client):
        while data := server.recv(65536):
            if not self.passing.is_set():
                self.heard.set()
            self.passing.wait()
            client.sendall(data)


def stream(_request, _context):
    yield b"first"
    release.wait()
    yield b"last"


release = threading.Event()
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {
    "Stream": grpc.unary_stream_rpc_method_handler(stream),
    "Echo": grpc.unary_unary_rpc_method_handler(lambda request, _: request)})])
proxy = Proxy(server.add_insecure_port("127.0.0.1:0"))
server.start()
with grpc.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
    running = channel.unary_stream("/s/Stream")(b"")
    assert next(running) == b"first"
    assert channel.unary_unary("/s/Echo")(b"x") == b"x"
    proxy.passing.clear()
    stopped = server.stop(60)
    assert proxy.heard.wait(30)  # GOAWAY has left the server.
    late = channel.unary_unary("/s/Echo").future(b"x", timeout=30)
    threading.Timer(2, proxy.passing.set).start()
    code = late.code()
    release.set()
    rest, end = list(running), running.code()
stopped.wait()
print(f"grpcio {grpc.__version__}: a call after stop(60), before GOAWAY: {code.name}; "
      f"the running stream: {len(rest)} more message(s), {end.name}")
raise SystemExit(0 if (code.name, end.name) == ("CANCELLED", "OK") else 1)
PYTHON

changed=0
for version in 1.51.1 1.85.3; do
  python3 -m venv "$work/$version" || exit 2
  "$work/$version/bin/pip" --quiet install "grpcio==$version" || exit 2
  "$work/$version/bin/python" "$work/shutdown.py" || changed=1
done
exit $changed

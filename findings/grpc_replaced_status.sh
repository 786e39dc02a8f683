#!/bin/bash
# gRPC 1.85.3 (C core): a long error message becomes another error, more often in Thai.
#
# A server answers INVALID_ARGUMENT with a message. The guess is that the client gets that code,
# whatever the message, or at worst a shortened one. But the message travels in the trailers,
# which a client limits to 8 KiB (soft) and 16 KiB (hard), and each byte that is not ASCII is
# sent as three. So 1500 Thai letters count as 13.5 KB. Above the hard limit the client reports
# RESOURCE_EXHAUSTED in place of code and message. Between the limits each call is refused with
# a probability that grows with the size, so the same error of the same request arrives now as
# one code, now as the other. An English message of as many bytes always arrives.
#
# For those who serve many languages: a message that quotes the user's text is tested in English,
# where it works. In Thai, Hindi or Japanese a final error turns into one that clients and proxies
# retry as overload, and alerts on overload fire. Remedy: bound messages, and quote no text.
#
# Usage: findings/grpc_replaced_status.sh  (needs python3-pip and PyPI; 7 MB; loopback only)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv --without-pip "$work/venv" || exit 2
python3 -m pip --quiet --python "$work/venv/bin/python" install --no-compile --only-binary :all: \
  grpcio==1.85.3 || exit 2
env --unset=http_proxy --unset=https_proxy GRPC_VERBOSITY=ERROR "$work/venv/bin/python" - << 'PYTHON'
import collections
import concurrent.futures
import sys
import urllib.parse

import grpc

CALLS = 200
THAI = "ปวดหัวเรื้อรังและมีไข้"  # A chronic headache, and fever.
MESSAGES = [  # Name, message, expected to be seen here.
    ("English,  4500 letters", ("headache and fever " * 300)[:4500], {"INVALID_ARGUMENT"}),
    ("Thai,      500 letters", (THAI * 100)[:500], {"INVALID_ARGUMENT"}),
    ("Thai,     1500 letters", (THAI * 100)[:1500], {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}),
    ("Thai,     2000 letters", (THAI * 100)[:2000], {"RESOURCE_EXHAUSTED"}),
]


def refuse(request, context):
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, MESSAGES[int(request)][1])


server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "finding.Service", {"Ask": grpc.unary_unary_rpc_method_handler(refuse)}),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
changed = False
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    ask = channel.unary_unary("/finding.Service/Ask")
    print(f"grpcio {grpc.__version__}; the server always answers INVALID_ARGUMENT")
    print(f"a good guess: {CALLS} times INVALID_ARGUMENT for each message")
    for i, (name, message, expected) in enumerate(MESSAGES):
        codes = collections.Counter()
        for _ in range(CALLS):
            try:
                ask(str(i).encode())
            except grpc.RpcError as error:
                codes[error.code().name] += 1
        size = len(message.encode())
        sent = len(urllib.parse.quote(message, safe=" "))
        seen = ", ".join(f"{code} {n}" for code, n in sorted(codes.items()))
        print(f"  {name}, {size} bytes, about {sent} on the wire: {seen}")
        changed |= set(codes) != expected
server.stop(None)
print("The behaviour has changed." if changed else
      "As described: the client sees another code than the server gave, depending on the script.")
sys.exit(changed)
PYTHON

#!/usr/bin/env python3
"""Writes corpus/: certificates and headers of calls, as callers_fuzz_test.cc describes them."""

import pathlib
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import varint  # noqa: E402

NOBODY, CLINIC, EDGE, STRANGER = (bytes([i]) for i in range(4))


def header(kind, value):
    return bytes([kind]) + varint(len(value)) + value


def bearer(value):
    return header(0, b"Bearer " + value)


def claims(value):
    return header(1, value)


def caller_san(value):
    return header(2, value)


def forwarded(value):
    return header(3, value)


PORTAL = b'{"iss": "i", "aud": "a", "sub": "portal", "exp": 2000000100}'
FILES = {
    "nobody": NOBODY,
    "clinic": CLINIC,
    "clinic_token": CLINIC + claims(PORTAL),
    "stranger": STRANGER,
    "stranger_token": STRANGER + claims(PORTAL),
    "clinic_names_another": CLINIC + caller_san(b"u:named"),
    "portal": NOBODY + claims(PORTAL),
    "portal_late": NOBODY + claims(PORTAL.replace(b"2000000100", b"1")),
    "portal_not_before": NOBODY + claims(PORTAL.replace(b'"exp"', b'"nbf": 3e9, "exp"')),
    "portal_several_audiences": NOBODY + claims(PORTAL.replace(b'"a"', b'["x", "a"]')),
    "portal_huge_time": NOBODY + claims(PORTAL.replace(b"2000000100", b"1e308")),
    "portal_no_object": NOBODY + claims(b"[]"),
    "portal_not_utf8": NOBODY + claims(PORTAL.replace(b"portal", b"\xff")),
    "portal_twice": NOBODY + claims(PORTAL) + claims(PORTAL),
    "unsigned": NOBODY + bearer(b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIn0."),
    "bearer_empty": NOBODY + header(0, b"Bearer "),
    "basic": NOBODY + header(0, b"Basic YTpi"),
    "edge": EDGE,
    "edge_san": EDGE + caller_san(b"u:named"),
    "edge_san_twice": EDGE + caller_san(b"u:named") + caller_san(b"u:clinic"),
    "edge_forwarded": EDGE + forwarded(b'By=u:edge;Hash=01;Subject="CN=a,O=\\"b\\"";URI=u:named;DNS=x'),
    "edge_forwarded_last": EDGE + forwarded(b"URI=u:clinic,By=u;uri=u:named"),
    "edge_forwarded_quotes": EDGE + forwarded(b'Subject="a,URI=u:clinic;";URI="u:named"'),
    "edge_forwarded_open_quote": EDGE + forwarded(b'Subject="a;URI=u:named'),
    "edge_token": EDGE + claims(PORTAL),
}
(HERE / "corpus").mkdir(exist_ok=True)
for name, data in FILES.items():
    (HERE / "corpus" / name).write_bytes(data)

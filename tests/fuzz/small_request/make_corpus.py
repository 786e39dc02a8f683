#!/usr/bin/env python3
"""Writes corpus/: requests of Tokenize, DetectLanguage and GetRouting, right and wrong."""

import pathlib
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import number, piece  # noqa: E402

FILES = {
    "empty": b"",
    "text": piece(1, "Was ist Insulin? \u20ac".encode()),
    "text_special": piece(1, b"<|im_start|>user") + number(2, 1),
    "text_empty": piece(1, b""),
    "not_utf8": piece(1, b"a\xff"),
    "surrogate": piece(1, b"\xed\xa0\x80"),
    "truncated": piece(1, b"What is aspirin?")[:-3],
    "window": number(1, 60),
    "window_huge": number(1, 2**64 - 1),
    "window_negative": number(1, -1),
    "id_last": piece(2, b"What?") + piece(1, b"id-1"),
    "id_with_space": piece(1, b"a b") + piece(2, b"What?"),
    "many_fields": piece(9, b"x") * 70 + piece(1, b"id-1"),
    "deep_groups": b"\x7b" * 300 + b"\x7c" * 300,
    "varint_too_long": b"\xff" * 11,
}
for name, data in FILES.items():
    (HERE / "corpus" / name).write_bytes(data)

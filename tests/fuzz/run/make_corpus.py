#!/usr/bin/env python3
"""Writes corpus/: messages between routers and dense workers, right and wrong. Field numbers follow
proto/apollo/internal/v1/generation.proto."""

import pathlib
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import float32, number, packed, piece  # noqa: E402

PROMPT = piece(1, b"id-1") + packed(2, [5, 6, 7]) + number(3, 4) + number(6, 16)
SAMPLING = piece(5, float32(1, 0.7) + float32(2, 0.9) + number(4, 7))
USE = piece(5, number(1, 2) + packed(2, [1, 0, 3]) + number(3, 2))

FILES = {
    "empty": b"",
    "request": PROMPT + SAMPLING,
    "full": PROMPT + SAMPLING + number(7, 3) + number(8, 1) + piece(10, b"de") + number(11, 1) + number(12, 3)
    + piece(13, b"clinic") + number(14, 1) + number(17, 2) + packed(30, [256, 258])
    + piece(31, piece(1, b"cpu/f32/f32/1") + piece(2, b"cpu/f32/f32/1")) + piece(32, b"clinic"),
    "continuation": PROMPT + number(15, 2),
    "continuation_too_long": PROMPT + number(15, 9),
    "score": PROMPT + number(9, 2),
    "score_too_long": PROMPT + number(9, 2**32 - 1),
    "pause": piece(16, number(1, 1)),
    "tokens_huge": packed(2, [2**31 - 1]) + number(6, 2**32 - 1),
    "tokens_negative": packed(2, [-1]) + number(6, 1),
    "family_negative": packed(2, [1]) + number(3, -7) + number(6, 1),
    "sampling_infinity": PROMPT + piece(5, float32(1, float("inf"))),
    "sampling_nan": PROMPT + piece(5, float32(2, float("nan"))),
    "logprobs_huge": PROMPT + number(7, 2**32 - 1),
    "numerics_wrong": PROMPT + piece(31, piece(1, b"cpu")),
    "started": piece(1, piece(1, b"dense-worker-0") + piece(2, b"expert-worker-1") + number(3, 16)),
    "token": piece(2, number(1, 3) + number(2, 9) + float32(3, -0.5) + USE),
    "token_huge": piece(2, number(1, 2**32 - 1) + number(2, -1)),
    "finished": piece(3, number(1, 1) + piece(2, number(1, 2) + packed(2, [1, 2]))),
    "finished_unknown": piece(3, number(1, 9)),
    "prompt_event": piece(4, number(1, 2) + piece(2, number(1, 5) + float32(2, -1.5))),
    "counts": float32(1, 1) + piece(2, piece(1, b"de") + number(2, 3) + piece(4, number(1, 2) + packed(2, [1]))),
    "truncated": PROMPT[:-1],
}
for name, data in FILES.items():
    (HERE / "corpus" / name).write_bytes(data)

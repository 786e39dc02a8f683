#!/usr/bin/env python3
"""Writes corpus/: series of messages of a link, right and wrong. Field numbers follow
proto/apollo/internal/v1/link.proto."""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import number, packed, piece, varint  # noqa: E402

ROWS = struct.pack("<8f", *range(8))  # Two rows of four numbers.


def message(body, frame=0, payload=b"", of=None):
    data = body + number(8, frame)
    if payload or of:
        data += number(9, len(payload) if of is None else of) + piece(10, payload)
    return varint(len(data)) + data


START = piece(5, number(1, 4) + number(4, 2) + piece(6, b"de") + piece(15, b"id-1"))
STEP = number(1, 7) + piece(2, number(1, 3) + packed(4, [5, 6]) + START + number(6, 1))
OUTPUT = piece(2, number(1, 3) + number(3, 1) + number(4, 1) + number(5, 9) + packed(9, [1, 2]) + packed(12, [0]))
FAILED = piece(2, number(1, 3) + number(10, 10) + piece(11, b"evicted"))

FILES = {
    "empty": b"",
    "info": message(piece(1, b"")),
    "step": message(piece(2, STEP), 0, ROWS),
    "step_without_rows": message(piece(2, STEP), 0, b""),
    "step_without_tokens": message(piece(2, number(1, 7) + piece(2, number(1, 3))), 0, ROWS),
    "step_without_start": message(piece(2, piece(2, number(1, 3) + packed(4, [5, 6]))), 0, ROWS),
    "step_token_negative": message(piece(2, piece(2, packed(4, [-1]) + START)), 0, ROWS[:16]),
    "pieces": message(piece(2, STEP), 0, ROWS[:16], 32) + message(piece(7, number(1, 16)), 0, ROWS[16:], 32),
    "piece_missing": message(piece(2, STEP), 0, ROWS[:16], 32) + message(piece(7, number(1, 20)), 0, ROWS[16:], 32),
    "piece_twice": message(piece(2, STEP), 0, ROWS[:16], 32) + message(piece(7, number(1, 0)), 0, ROWS[:16], 32),
    "piece_alone": message(piece(7, number(1, 16)), 0, ROWS),
    "frame_missing": message(piece(13, number(1, 1)), 0) + message(piece(13, number(1, 1)), 2),
    "frame_twice": message(piece(13, number(1, 1)), 0) + message(piece(13, number(1, 1)), 0),
    "result": message(piece(3, number(1, 7) + OUTPUT)),
    "result_failed": message(piece(3, number(1, 7) + FAILED)),
    "result_code_unknown": message(piece(3, piece(2, number(10, 99)))),
    "release": message(piece(4, piece(1, number(1, 3) + number(2, 1)))),
    "expert_rows": message(piece(5, number(1, 1) + number(2, 2) + number(3, 4)), 0, ROWS),
    "expert_rows_huge": message(piece(5, number(2, 2**32 - 1) + number(3, 2**32 - 1)), 0, ROWS),
    "expert_outputs": message(piece(6, number(1, 1)), 0, ROWS),
    "expert_outputs_missing": message(piece(6, number(1, 1) + number(2, 5) + piece(3, b"no such expert"))),
    "payload_odd": message(piece(5, number(1, 1)), 0, ROWS[:7]),
    "payload_huge": message(piece(5, number(1, 1)), 0, ROWS, 2**63),
    "reach": message(piece(11, packed(1, [0, 3, 6]))),
    "progress": message(piece(13, number(1, 1) + number(3, 12))),
    "device": message(piece(14, number(1, 1) + piece(2, b"u" * 128)))
    + message(piece(15, number(1, 1) + number(2, 1 << 25)), 1)
    + message(piece(16, number(1, 1) + number(3, 2) + number(4, 4) + number(5, 3)), 2)
    + message(piece(17, number(1, 1) + piece(2, b"lost")), 3) + message(piece(18, number(1, 1)), 4)
    + message(piece(19, number(1, 1)), 5),
    "device_type_unknown": message(piece(16, number(5, 77))),
    "no_body": message(b""),
    "truncated": message(piece(2, STEP), 0, ROWS)[:-5],
}
for name, data in FILES.items():
    (HERE / "corpus" / name).write_bytes(data)

#!/usr/bin/env python3
"""Writes expert_links_corpus/ and dense_links_corpus/: actions as the targets list them, with messages right and wrong. Field numbers
follow proto/apollo/internal/v1/link.proto."""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import number, packed, piece, varint  # noqa: E402

AT_ONCE, LATER = b"\x00", b"\x01"


def rows(count, width):
    return struct.pack(f"<{count * width}f", *(i % 7 - 3 for i in range(count * width)))


def message(action, body, payload=b""):
    data = body + (number(9, len(payload)) + piece(10, payload) if payload else b"")
    return bytes([action]) + varint(len(data)) + data


# Expert worker: the golden model "published" has 32 numbers in a row and sparse layers 2 and 3 of 7 experts; this worker
# has 0 to 3, and the peer the others.
WORK, PIECE, DELIVER, LOADED, NOT_LOADED, DRAIN = (bytes([i]) for i in (6, 7, 8, 9, 10, 12))


def ends(link):
    return bytes([3 + link])


def time(fiftieths):
    return bytes([11, fiftieths])


def slice_of(sequence, first, tokens, more=b"", attempt=1):
    start = piece(5, number(1, 4) + number(4, len(tokens)) + piece(6, b"de")) if first == 0 else b""
    return piece(2, number(1, sequence) + number(2, attempt) + number(3, first) + packed(4, tokens) + start + more)


def step(number_of, *slices, count, link=0):
    return message(link, piece(2, number(1, number_of) + b"".join(slices)), rows(count, 32))


SAMPLE = number(6, 1)
PEER = piece(1, number(1, 2) + piece(2, b"far2") + packed(5, [4, 5, 6]) + packed(14, [4, 5, 6]) + number(19, 1) + number(20, 5))
PROMPT = step(1, slice_of(7, 0, [5, 6, 7], SAMPLE), count=3)
LONG = list(range(100))


def outputs(ticket, count, more=b""):
    return message(2, piece(6, number(1, ticket) + more), rows(count, 32) if count else b"")


EXPERT = {
    "empty": b"",
    "step": AT_ONCE + PROMPT + WORK,
    "decode": LATER + PROMPT + WORK + step(2, slice_of(7, 3, [9], SAMPLE), count=1) + WORK,
    "step_gap": AT_ONCE + PROMPT + WORK + step(2, slice_of(7, 5, [9], SAMPLE), count=1) + WORK,
    "step_without_start": AT_ONCE + step(1, slice_of(7, 2, [9]), count=1) + WORK,
    "step_rows_missing": AT_ONCE + step(1, slice_of(7, 0, [5, 6, 7]), count=2) + WORK,
    "step_same_twice": AT_ONCE + step(1, slice_of(7, 0, [5]), slice_of(7, 1, [6], SAMPLE), count=2) + WORK,
    "step_token_unknown": AT_ONCE + step(1, slice_of(7, 0, [260]), count=1) + WORK,
    "attempt_higher": LATER + PROMPT + PIECE + step(2, slice_of(7, 0, [5], SAMPLE, 2), count=1) + WORK,
    "release": AT_ONCE + PROMPT + WORK + message(0, piece(4, piece(1, number(1, 7) + number(2, 1)))) + WORK,
    "release_running": LATER + PROMPT + PIECE + message(0, piece(4, piece(1, number(1, 7) + number(2, 1)))) + WORK,
    "two_workers": LATER + PROMPT + step(1, slice_of(7, 0, [1, 2], SAMPLE), count=2, link=1) + WORK + ends(0) + WORK,
    "evict": AT_ONCE + step(1, slice_of(1, 0, LONG, SAMPLE), count=100)
    + step(1, slice_of(2, 0, LONG, SAMPLE), count=100, link=1) + WORK,
    "peer": LATER + message(2, PEER) + PROMPT + WORK + outputs(1, 1) + outputs(2, 1) + outputs(3, 2) + WORK,
    "peer_late": LATER + message(2, PEER) + PROMPT + step(1, slice_of(1, 0, LONG, SAMPLE), count=100, link=1) + WORK
    + time(1) + WORK + time(1) + WORK + outputs(1, 1) + WORK + time(20) + WORK,
    "peer_silent": LATER + message(2, PEER) + PROMPT + WORK + time(10) + WORK + time(200) + WORK,
    "peer_lost": LATER + message(2, PEER) + PROMPT + WORK + ends(2) + WORK + LOADED + WORK,
    "peer_refuses": LATER + message(2, PEER) + PROMPT + WORK + outputs(1, 0, number(2, 5)) + WORK + LOADED + WORK,
    "load_fails": AT_ONCE + PROMPT + WORK + NOT_LOADED + WORK + NOT_LOADED + WORK + LOADED + WORK,
    "guests": LATER + message(2, piece(5, number(1, 1) + number(2, 2) + number(3, 1)), rows(2, 32)) + WORK,
    "guests_absent": AT_ONCE + message(2, piece(5, number(1, 1) + number(2, 2) + number(3, 6)), rows(1, 32)) + WORK,
    "guests_layer_wrong": AT_ONCE + message(2, piece(5, number(1, 1) + number(3, 1)), rows(1, 32)) + WORK,
    "progress": AT_ONCE + message(2, piece(13, number(1, 1) + number(3, 5))) + time(1),
    "drain": AT_ONCE + PROMPT + DRAIN + WORK + message(0, PEER),
    "device_frame": AT_ONCE + message(0, piece(15, number(1, 1))) + WORK,
    "no_message": AT_ONCE + b"\x00\x03\xff\xff\xff" + WORK,
}

# Dense worker: FakeDenseStage, 2 numbers in a row.
ROOM0, SUBMIT, CANCEL, PAUSE, RESUME, STEP, DELIVERED = (bytes([i]) for i in (8, 10, 11, 12, 13, 14, 15))
READY0, READY1, END0, END1 = b"\x06", b"\x07", b"\x02", b"\x03"


def submit(prompt, tokens, kind=0):
    return SUBMIT + bytes([prompt - 1, tokens - 1, 0, kind])


def answer(token, link=0):
    return bytes([4 + link, token])


def wait(fiftieths):
    return bytes([16, fiftieths])


def output(sequence, position, more=b""):
    return piece(2, number(1, sequence) + number(2, 1) + number(3, position) + number(4, 1) + number(5, 9) + more)


DRAINING = piece(1, number(1, 2) + packed(14, range(7)) + number(18, 1) + number(19, 1) + number(20, 9) + number(23, 1))
BEGIN = READY0 + submit(9, 4) + STEP
DENSE = {
    "empty": b"",
    "answer": AT_ONCE + BEGIN + answer(1) + STEP + answer(2) + STEP + answer(3),
    "two_workers": LATER + READY1 + BEGIN + submit(20, 3) + STEP + DELIVERED * 2 + answer(1) + answer(1, 1) + STEP + END0
    + STEP + DELIVERED + answer(2, 1) + END1,
    "kinds": AT_ONCE + READY0 + b"".join(submit(12, 2, kind) for kind in range(6)) + (STEP + answer(1)) * 4,
    "wrong_step": AT_ONCE + BEGIN + message(0, piece(3, number(1, 99) + output(0, 8))),
    "wrong_sequence": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + output(5, 8))),
    "wrong_position": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + output(0, 2))),
    "token_unknown": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + piece(2, number(2, 1) + number(4, 1)
                                                                                  + number(5, 2**31 - 1)))),
    "nothing_sampled": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + piece(2, number(2, 1) + number(3, 8)))),
    "part": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + output(0, 8) + number(3, 1))) + STEP,
    "evicted": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + output(0, 8, number(10, 10)))) + STEP + answer(1),
    "failed": AT_ONCE + BEGIN + message(0, piece(3, number(1, 1) + output(0, 8, number(10, 14)))) + STEP + answer(1),
    "moved": LATER + READY1 + BEGIN + DELIVERED + wait(7) + STEP + DELIVERED + answer(1, 1) + wait(255) + wait(255) + wait(255),
    "draining": AT_ONCE + READY1 + BEGIN + message(0, DRAINING) + STEP + answer(1) + answer(1, 1),
    "no_room": AT_ONCE + READY0 + ROOM0 + b"\x00" + submit(9, 4) + STEP + ROOM0 + b"\x01" + STEP + answer(1),
    "paused": AT_ONCE + BEGIN + PAUSE + b"\x00" + answer(1) + STEP + RESUME + b"\x00" + STEP + answer(2) + CANCEL + b"\x00",
    "expert_rows": AT_ONCE + BEGIN + message(0, piece(5, number(1, 1)), rows(1, 2)),
    "full": AT_ONCE + READY0 + submit(64, 16) * 5 + (STEP + answer(1)) * 20,
}
for folder, files in (("expert_links_corpus", EXPERT), ("dense_links_corpus", DENSE)):
    (HERE / folder).mkdir(exist_ok=True)
    for name, data in files.items():
        (HERE / folder / name).write_bytes(data)

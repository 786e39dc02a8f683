#!/usr/bin/env python3
"""Writes corpus/: valid and invalid GenerateRequest and ScoreRequest messages. They are assembled from bytes, because
protobuf libraries refuse to write invalid ones. Field numbers follow proto/apollo/v1/inference.proto."""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"


def varint(n):
    n &= 2**64 - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def number(field, value):
    return varint(field << 3) + varint(value)


def float32(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def chat(*messages):
    return text(3, b"".join(text(1, number(1, role) + text(2, content)) for role, content in messages))


PROMPT = text(2, b"What is aspirin?")
SYSTEM, USER, ASSISTANT = 1, 2, 3
SAMPLING = (float32(1, 0.7) + float32(2, 0.9) + number(3, 40) + number(4, 7) + float32(5, 1) + float32(6, -1)
            + number(7, 2))

FILES = {
    "empty": b"",
    "prompt": PROMPT,
    "full": text(1, b"id-1") + PROMPT + text(4, b"de") + number(5, 2) + text(6, SAMPLING) + number(7, 16)
    + text(8, b"\n") + number(9, 3) + number(10, 1) + number(11, 1),
    "chat": chat((SYSTEM, b"Be brief."), (USER, b"Hi"), (ASSISTANT, b"Hello"),
                 (USER, "Was ist Insulin? \u20ac".encode())),
    "chat_ends_with_assistant": chat((USER, b"Hi"), (ASSISTANT, b"Hello")),
    "chat_empty": chat(),
    "chat_empty_content": chat((USER, b"")),
    "role_unknown": chat((77, b"Hi")),
    "role_negative": chat((-1, b"Hi")),
    "routing_unknown": PROMPT + number(5, 9),
    "top_k_huge": PROMPT + text(6, number(3, 2**32 - 1)),
    "choices_huge": PROMPT + text(6, number(7, 2**32 - 1)),
    "tokens_huge": PROMPT + number(7, 2**32 - 1),
    "not_utf8": text(2, b"a\xff"),
    "not_utf8_in_chat": chat((USER, b"\xed\xa0\x80")),
    "not_utf8_stop": PROMPT + text(8, b"\x80"),
    "id_with_space": text(1, b"a b") + PROMPT,
    "language_unknown": PROMPT + text(4, b"xx"),
    "stop_empty": PROMPT + text(8, b""),
    "stop_long": PROMPT + text(8, b"x" * 257),
    "many_stops": PROMPT + text(8, b"x") * 17,
    "prompt_and_chat": PROMPT + chat((USER, b"Hi")),
    "truncated": PROMPT[:-3],
    "truncated_inside": text(3, b"\x0a\x7f"),
    "deep_groups": b"\x7b" * 300 + b"\x7c" * 300,
    "unknown_fields": PROMPT + text(15, b"\xff") + number(1000, 1),
    "wrong_wire_type": number(2, 5) + text(7, b"x"),
    "varint_too_long": b"\xff" * 11,
    "tokens": text(13, text(1, varint(5) + varint(6))) + number(7, 4),
    "tokens_negative": text(13, text(1, varint(-1))),
    "resume": PROMPT + number(7, 16) + text(16, text(1, text(1, varint(5) + varint(6)) + number(3, 2))
                                            + number(2, 7) + text(3, b"de") + number(4, 4)),
    "resume_finished": PROMPT + number(7, 1) + text(16, text(1, text(1, varint(5)) + number(2, 1))),
    "resume_too_many": PROMPT + number(7, 1) + text(16, text(1, text(1, varint(5) * 9)) * 9),
    "resume_wrong": PROMPT + text(16, text(1, text(1, varint(-1)) + number(3, 2**32 - 1)) + text(3, b"xx")
                                  + number(4, -9) + text(5, b"x" * 300)),
    "score": PROMPT + text(6, b" A") + text(6, b" B") + number(7, 1),
    "score_empty_continuation": PROMPT + text(6, b""),
    "score_not_utf8": PROMPT + text(6, b"\xc0\xaf"),
}
for word, value in (("nan", float("nan")), ("infinity", float("inf")), ("negative", -1.0)):
    for field, name in ((1, "temperature"), (2, "top_p"), (5, "presence_penalty")):
        FILES[f"{name}_{word}"] = PROMPT + text(6, float32(field, value))

for name, data in FILES.items():
    (CORPUS / name).write_bytes(data)

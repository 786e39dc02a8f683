#!/usr/bin/env python3
"""Writes corpus/: a line with the path of a method, and its request. Every method has a valid request; those with text also
the inputs of the folders request/ and small_request/ that a session looks at. Field numbers follow proto/."""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))
from wire_bytes import float32, number, packed, piece, varint  # noqa: E402

PUBLIC, ADMIN = "apollo.v1.InferenceService/", "apollo.v1.AdminService/"
DENSE, LINK = "apollo.internal.v1.DenseWorkerService/", "apollo.internal.v1.LinkService/"
HEALTH, REFLECTION = "grpc.health.v1.Health/", "grpc.reflection.v1.ServerReflection/"

PROMPT = piece(2, b"What is aspirin?")
CHAT = piece(3, piece(1, number(1, 2) + piece(2, b"Was ist Insulin?")))
SAMPLING = piece(6, float32(1, 0.7) + number(4, 7))


def stream(*messages):
    return b"".join(varint(len(message)) + message for message in messages)


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


SEQUENCE = piece(1, b"id-1") + packed(2, [5, 6, 7]) + number(6, 3) + number(7, 2)
WORKER = number(1, 1) + piece(2, b"dense-0") + piece(3, b"model")

FILES = {
    "generate": (PUBLIC + "Generate", PROMPT + SAMPLING + number(7, 8)),
    "generate_chat": (PUBLIC + "Generate", CHAT + SAMPLING + number(7, 8) + number(9, 3) + piece(8, b"\n")),
    "generate_hybrid": (PUBLIC + "Generate", PROMPT + piece(4, b"de") + number(5, 2) + number(7, 2) + number(10, 1)),
    "complete": (PUBLIC + "Complete", PROMPT + SAMPLING + number(7, 8)),
    "complete_choices": (PUBLIC + "Complete", PROMPT + piece(6, number(4, 3) + number(7, 3)) + number(7, 4)),
    "score": (PUBLIC + "Score", PROMPT + piece(6, b" A pain killer") + piece(6, b" A bird")),
    "tokenize": (PUBLIC + "Tokenize", piece(1, b"What is asthma?") + number(2, 1)),
    "tokenize_not_utf8": (PUBLIC + "Tokenize", piece(1, b"What is asthma? \xff")),
    "detect_language": (PUBLIC + "DetectLanguage", piece(1, b"Was ist Asthma?")),
    "get_model": (PUBLIC + "GetModel", b""),
    "get_routing": (PUBLIC + "GetRouting", number(1, 60)),
    "get_routing_long": (PUBLIC + "GetRouting", number(1, 2**32 - 1)),
    "get_status": (PUBLIC + "GetStatus", b""),
    "drain": (ADMIN + "Drain", number(1, 1) + double(2, 2.5)),
    "drain_nan": (ADMIN + "Drain", double(2, float("nan"))),
    "drain_mode_unknown": (ADMIN + "Drain", number(1, 77)),
    "reload": (ADMIN + "Reload", b""),
    "get_config": (ADMIN + "GetConfig", b""),
    "set_log_level": (ADMIN + "SetLogLevel", number(1, 2)),
    "set_log_level_unknown": (ADMIN + "SetLogLevel", number(1, -1)),
    "run": (DENSE + "Run", stream(SEQUENCE)),
    "run_paused": (DENSE + "Run", stream(SEQUENCE, piece(16, number(1, 1)))),
    "run_nothing": (DENSE + "Run", b""),
    "routing": (DENSE + "Routing", number(1, 60)),
    "describe": (DENSE + "Describe", number(1, 1) + number(3, 2)),
    "watch": (DENSE + "Watch", b""),
    "connect": (LINK + "Connect", stream(piece(1, WORKER), piece(13, number(1, 1)) + number(8, 1))),
    "connect_no_info": (LINK + "Connect", stream(piece(13, b""))),
    "connect_gap": (LINK + "Connect", stream(piece(1, WORKER), piece(13, b"") + number(8, 5))),
    "check": (HEALTH + "Check", piece(1, b"liveness")),
    "watch_health": (HEALTH + "Watch", b""),
    "reflection": (REFLECTION + "ServerReflectionInfo",
                   stream(piece(7, b""), piece(4, b"apollo.v1.InferenceService"), piece(3, b"nothing.proto"))),
}
for folder, names, methods in (
    ("request", ("full", "chat_empty_content", "not_utf8_in_chat", "tokens", "tokens_negative", "resume", "resume_finished",
                 "resume_wrong", "temperature_nan", "truncated_inside"), ("Generate", "Complete")),
    ("request", ("score", "score_empty_continuation", "score_not_utf8"), ("Score",)),
    ("small_request", ("text_special", "surrogate", "varint_too_long"), ("Tokenize", "DetectLanguage")),
):
    for name in names:
        for method in methods:
            FILES[f"{method.lower()}_{name}"] = (PUBLIC + method, (HERE.parent / folder / "corpus" / name).read_bytes())

(HERE / "corpus").mkdir(exist_ok=True)
for name, (method, data) in FILES.items():
    (HERE / "corpus" / name).write_bytes(method.encode() + b"\n" + data)

#!/usr/bin/env python3
"""Writes the part of the corpus that is made: run it in this folder.

Complete models are copies of tools/upcycle/testdata (made by make_gguf.py there).
"""

import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).parent
MODELS = HERE / "../../../tools/upcycle/testdata"
# Block sizes of all types that can be read, by type.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
          10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
          20: (32, 18), 23: (256, 136), 30: (1, 2)}


def string(text):
    return struct.pack("<Q", len(text)) + text


def gguf(keys=b"", num_keys=0, infos=b"", num_tensors=0, data=b"", version=3):
    head = b"GGUF" + struct.pack("<IQQ", version, num_tensors, num_keys) + keys + infos
    return head + b"\0" * (-len(head) % 32) + data


def key(name, kind, value):
    return string(name) + struct.pack("<I", kind) + value


def info(name, shape, kind, offset):
    return (string(name) + struct.pack("<I", len(shape))
            + b"".join(struct.pack("<Q", size) for size in shape)
            + struct.pack("<IQ", kind, offset))


def every_quantisation():
    infos, data = b"", b""
    for kind, (elements, size) in BLOCKS.items():
        infos += info(b"t%d" % kind, (elements, 1), kind, len(data))
        data += bytes((i * 37) & 0xFF for i in range(size))
        data += b"\0" * (-len(data) % 32)
    return gguf(infos=infos, num_tensors=len(BLOCKS), data=data)


def nested(depth):
    value = struct.pack("<IQI", 4, 1, 7)
    for _ in range(depth - 1):
        value = struct.pack("<IQ", 9, 1) + value
    return gguf(key(b"n", 9, value), 1)


def write(name, data):
    (HERE / "corpus" / name).write_bytes(data)


write("every_quantisation", every_quantisation())
write("nested_eight", nested(8))
write("nested_deep", nested(2000))
write("nested_lie", gguf(key(b"n", 9, struct.pack("<IQ", 9, 2**63)), 1))
write("unread_type_beyond", gguf(infos=info(b"t", (256,), 16, 0), num_tensors=1))
write("removed_type", gguf(infos=info(b"t", (256,), 4, 0), num_tensors=1))
write("huge_uint64", gguf(key(b"u", 10, b"\xff" * 8), 1))
write("split_count", gguf(key(b"split.count", 4, struct.pack("<I", 2**32 - 1)), 1))
for name in ("every_type", "whole", "parts-00002-of-00003"):
    shutil.copyfile(MODELS / f"{name}.gguf", HERE / "corpus" / name)
scaled = (MODELS / "whole.gguf").read_bytes()
write("other_theta", scaled.replace(b"qwen2.rope.freq_base", b"qwen2.rope.scale_lin"))
write("other_heads", scaled.replace(b"qwen2.attention.head_count_kv\x04\0\0\0\x01",
                                    b"qwen2.attention.head_count_kv\x04\0\0\0\x02"))

"""Pieces of protobuf messages for the corpora, as bytes: protobuf libraries refuse to write invalid messages."""

import struct


def varint(n):
    n &= 2**64 - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def piece(field, value):
    """A string, bytes, a message, or packed numbers."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def number(field, value):
    return varint(field << 3) + varint(value)


def float32(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def packed(field, values):
    return piece(field, b"".join(varint(value) for value in values))

"""Packed weights: tools/pack and the headers of its files."""

import json
import os

from . import processes
from .failure import Failure

FILE = "weights.packed"
_MAGIC = "apollo-packed "


def format_of(model):
    """Returns the format of a directory's packed weights, or None. docs/kernels.md describes the file."""
    path = os.path.join(model, FILE)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > 1 << 30:
            raise Failure(f"{path} is no file of packed weights")
        try:
            names = list(json.loads(file.read(size)))
        except ValueError:
            names = []
    for name in names:
        fields = name.split("|")
        if name.startswith(_MAGIC) and len(fields) == 4:
            return fields[2]
    raise Failure(f"{path} is no file of packed weights")


def program(binaries):
    return os.path.join(binaries, "tools/pack/pack")


def pack(binaries, model, weights_format, threads, output):
    processes.output([program(binaries), f"--model={model}", f"--output={output}", f"--weights={weights_format}",
                      f"--threads={threads}"])

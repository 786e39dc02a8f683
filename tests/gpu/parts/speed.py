"""Parts that measure: operations, links, the cluster, transformers."""

import json
import os
import shutil
import sys
import tempfile

from .context import PASSED, SKIPPED, Result, failure


def _json_lines(text):
    """Returns the figures of a program that prints lines of JSON, among others."""
    figures = {}
    for line in text.splitlines():
        if line.startswith("{"):
            figures.update(json.loads(line))
    return figures


def _measure(context, name, argv, limit, prefix=""):
    """Runs a program that prints its figures. Keeps those that it has printed even if it fails later."""
    outcome = context.run(name, argv, limit)
    result = Result(PASSED) if outcome.code == 0 else failure(outcome)
    result.figures = {prefix + key: value for key, value in _json_lines(outcome.text).items()}
    return result


def place_for(gigabytes, places=("/dev/shm", tempfile.gettempdir())):
    """Returns a folder with enough room, in memory if possible, or None."""
    for place in places:
        if os.path.isdir(place) and shutil.disk_usage(place).free > gigabytes * 1.1e9:
            return place
    return None


def cluster(shape, gigabytes, limit):
    """Decoding, prefill and start of a cluster with random weights of a published shape."""
    def run(context):
        place = place_for(gigabytes)
        if place is None:
            return Result(SKIPPED, f"there is no room for {gigabytes} GB of weights")
        bounds = context.figures
        with tempfile.TemporaryDirectory(dir=place) as folder:
            argv = [sys.executable, context.program("benchmarks/gpu/run.py"), f"--binaries={context.root}",
                    f"--shape={shape}", f"--folder={folder}", f"--device={context.device}",
                    f"--tokenizer={context.program('tests/golden/wide/tokenizer.json')}"]
            if "copy GB/s" in bounds:
                argv += [f"--copy_gb_per_s={bounds['copy GB/s']}", f"--tflops={bounds['bf16 TFLOPS']}"]
            return _measure(context, f"speed_{shape}", argv, limit, f"{shape}: ")
    return run


def links(context):
    """Rows from one process to another and back, their time and memory; a process that is killed."""
    return _measure(context, "links", [context.program("tests/gpu/link_hop"),
                                       f"--gpu={context.device.removeprefix('cuda:')}"], 60)


def transformers(shape):
    """The dense model of the same shape in Hugging Face transformers."""
    def run(context):
        probe = context.run("transformers_probe", [sys.executable, "-c", "import torch, transformers"], 60)
        if probe.code != 0:
            return Result(SKIPPED, f"transformers is not there: {probe.last_line}")
        return _measure(context, f"transformers_{shape}", [
            sys.executable, context.program("benchmarks/gpu/transformers_gpu.py"), f"--shape={shape}"], 60,
            f"transformers {shape}: ")
    return run


def operations(context):
    """Each operation beside its bound."""
    outcome = context.run("operations", [context.program("kernels/cuda/benchmark")], 150)
    result = Result(PASSED, "the log has the table") if outcome.code == 0 else failure(outcome)
    return result

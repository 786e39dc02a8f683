#!/usr/bin/env python3
"""Runs the parts of tests/gpu/run.sh, which explains the options."""

import argparse
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from parts import machine, programs, report, sanitizer, speed  # noqa: E402
from parts.context import NOT_RUN, USUAL_SECONDS, Context, Result  # noqa: E402

SHORTEST = 5  # A part is not begun with less time left.


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    run: Callable[[Context], Result]
    on: str = "gpu"  # Or "cpu", or "both".
    optional: bool = False  # May end without a result, because time is short.

    @property
    def short(self):
        """Returns the name for --parts: without spaces and commas."""
        return re.sub(r"[^a-zA-Z0-9.]+", "-", self.name)


# The most telling first, so that a run that is cut off has said most.
PARTS = [
    Part("machine", machine.facts),
    Part("kernels", programs.kernels),
    Part("stages", programs.stages),
    Part("golden, rows over the host", programs.golden("host"), "both"),
    Part("golden, rows by NCCL", programs.golden("nccl")),
    Part("links", speed.links),
    Part("speed 7B", speed.cluster("7B", 21, 110)),
    Part("speed 0.5B", speed.cluster("0.5B", 3, 45)),
    Part("speed tiny", speed.cluster("tiny", 0.1, 60), "cpu"),
    Part("faults, rows over the host", programs.faults("host"), "both"),
    Part("faults, rows by NCCL", programs.faults("nccl")),
    Part("sanitizer", sanitizer.run, optional=True),
    Part("transformers 7B", speed.transformers("7B"), optional=True),
    Part("transformers 0.5B", speed.transformers("0.5B"), optional=True),
    Part("operations", speed.operations, optional=True),
]


class Mistake(Exception):
    """Ends the script with its message and exit code 2."""


def device(text):
    if text != "cpu" and not re.fullmatch(r"cuda:\d+", text):
        raise argparse.ArgumentTypeError(f'is "{text}"; it must be cpu or cuda:N')
    return text


def parse(arguments):
    parser = argparse.ArgumentParser(prog="run.sh", allow_abbrev=False)
    parser.add_argument("--bundle", metavar="FILE|DIR")
    parser.add_argument("--out", metavar="DIR")
    parser.add_argument("--device", type=device, default="cuda:0")
    parser.add_argument("--parts", metavar="NAME,...")
    parser.add_argument("--seconds", type=float, default=USUAL_SECONDS)
    return parser.parse_args(arguments)


def chosen(options):
    """Returns the parts to run. Raises Mistake for an unknown one."""
    kind = "cpu" if options.device == "cpu" else "gpu"
    parts = [part for part in PARTS if part.on in (kind, "both")]
    if options.parts is None:
        return parts
    wanted = options.parts.split(",")
    known = {part.short for part in parts}
    if unknown := sorted(set(wanted) - known):
        raise Mistake(f'--parts has "{unknown[0]}"; with --device={options.device} the parts are {",".join(sorted(known))}')
    return [part for part in parts if part.short in wanted]


def unpack(bundle, folder, on_gpu):
    """Returns the folder of a bundle and its manifest. Builds one if none is given."""
    if bundle is None:
        subprocess.run([os.path.join(HERE, "bundle.sh"), *([] if on_gpu else ["--cpu"]), folder], check=True)
        bundle = os.path.join(folder, "bundle.tar.xz")
    if not os.path.exists(bundle):
        raise Mistake(f"--bundle is {bundle}, which does not exist")
    if os.path.isdir(bundle):
        root = os.path.abspath(bundle)
    else:
        root = os.path.join(folder, "bundle")
        with tarfile.open(bundle) as archive:
            # Older versions of Python do not know filters.
            archive.extractall(root, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    path = os.path.join(root, "manifest.json")
    if not os.path.exists(path):
        raise Mistake(f"--bundle is {bundle}, which has no manifest.json; tests/gpu/bundle.sh makes bundles")
    with open(path, encoding="utf-8") as file:
        return root, json.load(file)


def prepare(context):
    """Finds what the programs need on this machine, and prints it."""
    if context.on_gpu:
        folder = os.path.join(context.folder, "cuda")
        found = machine.collect_libraries(folder)
        context.libraries = [folder]
        for name in machine.WANTED:
            print(f"{name}: {found.get(name, 'NOT FOUND')}")
        if nccl := found.get("libnccl.so.2"):
            version = machine.nccl_version(nccl)
            context.figures["NCCL"] = f"{version // 10000}.{version // 100 % 100}.{version % 100}"
    context.figures["glibc"] = machine.use_glibc(context.root, context.manifest, context.libraries)
    print(f"glibc: {context.figures['glibc']}", flush=True)


def run_parts(context, parts):
    """Runs the parts, prints the progress, and returns (part, result, seconds) of each."""
    entries = []
    for part in parts:
        begin = time.monotonic()
        if context.left < SHORTEST:
            result = Result(NOT_RUN, "no time was left")
        else:
            print(f"[{context.left:4.0f} s left] {part.name} ...", flush=True)
            try:
                result = part.run(context)
            except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                result = Result("FAILED", f"{type(error).__name__}: {error}")
        context.figures.update(result.figures)
        entries.append((part, result, time.monotonic() - begin))
        print(f"             {part.name}: {result.status}" + (f", {result.note}" if result.note else ""), flush=True)
    return entries


def no_gpu(reason):
    """Says so, and returns the exit code."""
    print(f"SKIPPED: no GPU ({reason})")
    return 1 if os.environ.get("REQUIRE_GPU") == "1" else 0


def main(arguments):
    options = parse(arguments)
    if options.parts == "list":
        print("\n".join(f"{part.short}  ({part.on})" for part in PARTS))
        return 0
    parts = chosen(options)
    if options.device != "cpu" and (reason := machine.missing_gpu()):
        return no_gpu(reason)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        root, manifest = unpack(options.bundle, folder, options.device != "cpu")
        unpacking = time.monotonic() - begin if options.bundle else 0  # To build one may take as long as it wants.
        context = Context(root, folder, options.device, options.seconds - unpacking, manifest)
        prepare(context)
        entries = run_parts(context, parts)
        print("\n" + report.text(entries), flush=True)
        if options.out:
            head = {"revision": manifest["revision"], "device": options.device}
            report.write(options.out, entries, head, os.path.join(folder, "logs"))
    bad = report.failed(entries)
    print(f"{len(bad)} of {len(entries)} parts failed" + (": " + "; ".join(bad) if bad else ""))
    return 1 if bad else 0


def stop(number, frame):
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main(sys.argv[1:]))
    except Mistake as mistake:
        print(f"run.sh: {mistake}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

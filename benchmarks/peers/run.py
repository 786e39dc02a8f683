#!/usr/bin/env python3
"""Compares this project with its alternatives on the same machine in the same run.

    benchmarks/peers/setup.sh                 # once: builds llama.cpp; options: --with-vllm, --with-transformers
    bazel build -c opt //deploy/local:apollo_local //router //dense_worker //expert_worker //tools/apollo \\
        //benchmarks/load //benchmarks/router:router_overhead //benchmarks/memory:memory_bandwidth //tools/pack
    benchmarks/peers/run.py [--shape 0.5b] [--cpu avx2] [--out DIR]

All programs do the same work in turns, round by round; the first round warms up and does not count. Prints medians,
their ratios with targets and floors, and the fraction of the limits of the machine. Peers run the dense base of the
sparse model. Nothing else should run on the machine meanwhile. docs/benchmarks.md describes how each figure is
measured.
"""

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from harness import cluster, failure, measure, memory, packed, paths, processes, processors, table  # noqa: E402
import comparisons  # noqa: E402
import contenders  # noqa: E402
import experiments  # noqa: E402

PARTS = ("rounds", "processes", "router", "mixed", "packed")
PEERS = ("llama", "vllm", "transformers")
FORMATS = ("int8", "int4", "bf16", "float32")


def names(allowed):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f'"{name}" is none of {", ".join(allowed)}')
        return chosen
    return parse


def at_least(least):
    def parse(text):
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f'"{text}" is no number of at least {least}')
        return int(text)
    return parse


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(comparisons.COMPARISONS), default="demo")
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help="default: all installed ones")
    parser.add_argument("--formats", type=names(FORMATS), default=list(FORMATS), help="ours; default: all")
    parser.add_argument("--only", type=names(PARTS), default=list(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--cases", type=names(comparisons.CASES), default=list(comparisons.CASES))
    parser.add_argument("--rounds", type=at_least(1), default=7)
    parser.add_argument("--new_tokens", type=at_least(8), default=64, help="tokens that each stream decodes")
    parser.add_argument("--threads", type=at_least(1), default=2)
    parser.add_argument("--cpu", choices=["native", "avx2"], default="native",
                        help="avx2: no program uses more, as far as it can be controlled")
    parser.add_argument("--router_requests", type=at_least(1), default=500)
    parser.add_argument("--mixed_tokens", type=at_least(100), default=4000,
                        help="tokens of the running streams under mixed load")
    for unit in ("int8", "bf16", "float32"):
        parser.add_argument(f"--peak_{unit}", type=float, metavar="GOPS", help="10^9 operations per second of all "
                            "threads; without it no arithmetic limit is shown")
    parser.add_argument("--model", help="another directory of our model with the same weights, for example packed")
    parser.add_argument("--binaries", default=paths.BINARIES)
    parser.add_argument("--peers_folder", default=paths.PEERS)
    parser.add_argument("--transformers_python",
                        default=os.path.join(paths.CACHE, "venv-transformers/bin/python"))
    parser.add_argument("--out", metavar="DIR", help="also write tables, CSV files and all samples to this directory")
    args = parser.parse_args()
    args.models = os.path.join(args.peers_folder, "models", args.shape)
    if not args.model:
        args.model = (os.path.join(paths.CACHE, "demo") if args.shape == "demo" else os.path.join(args.models, "apollo"))
    args.cpu_level = None if args.cpu == "native" else args.cpu
    for path in (args.model, args.models):
        if not os.path.isdir(path):
            parser.error(f"{path} is not there: run benchmarks/peers/setup.sh --shape {args.shape}")
    return args


def check_cpu_level(args):
    """Fails if the binaries ignore APOLLO_CPU_LEVEL: they must reject an unknown level."""
    try:
        with cluster.Cluster(args.binaries, args.model, args.threads, cpu="none"):
            pass
    except failure.Failure as refused:
        if "APOLLO_CPU_LEVEL" in str(refused):
            return
        raise
    raise failure.Failure(f"the programs in {args.binaries} do not know APOLLO_CPU_LEVEL: they cannot be held to AVX2")


def our_formats(args, report):
    kind = packed.format_of(args.model)
    if kind is not None:
        report.note(f"{args.model} holds packed weights in {kind}: only that is measured of ours")
        return [kind]
    if cluster.knows_flag(args.binaries, "weights"):
        return args.formats
    report.note(f"the programs in {args.binaries} have no flag --weights: only the checkpoint's own format "
                f"(\"auto\") is measured; {', '.join(args.formats)} are SKIPPED")
    return ["auto"]


def make_contenders(args, formats, stack, report):
    for peer in PEERS:
        if peer not in args.peers:
            report.note(f"{peer} is not among --peers; SKIPPED")
    makers = [functools.partial(contenders.Ours, args, kind) for kind in formats]
    if "llama" in args.peers:
        makers += [functools.partial(contenders.Llama, args, kind) for kind in ("Q8_0", "Q4_0")]
    if "vllm" in args.peers:
        if os.path.exists(os.path.join(args.peers_folder, ".vllm.done")):
            makers.append(functools.partial(contenders.Vllm, args))
        else:
            report.note("vLLM is not installed: run benchmarks/peers/setup.sh --with-vllm; SKIPPED")
    if "transformers" in args.peers and args.shape == "demo":
        if os.path.exists(args.transformers_python):
            makers += [functools.partial(contenders.Transformers, args, kind) for kind in ("float32", "bf16")]
        else:
            report.note("transformers is not installed: run benchmarks/transformers/setup.sh; SKIPPED")
    made = []
    for make in makers:
        begin = time.monotonic()
        made.append(make())
        stack.callback(made[-1].close)
        made[-1].ready = time.monotonic() - begin
        print(f"{made[-1].name} is ready after {made[-1].ready:.1f} s", file=sys.stderr, flush=True)
    return made


def bandwidth(args, contender):
    """Returns bytes per second when reading as much as the contender reads per token."""
    return json.loads(processes.output([
        os.path.join(args.binaries, "benchmarks/memory/memory_bandwidth"), f"--threads={args.threads}",
        f"--megabytes={max(1, round(contender.bytes / 1e6))}"]))["bytes_per_second"]


def run_rounds(args, everyone):
    samples = measure.Samples()
    for number in range(args.rounds + 1):
        for case in args.cases:
            kind, amount = comparisons.CASES[case]
            for contender in everyone:
                rate = getattr(contender, kind)(amount)
                if rate is None:
                    continue
                print(f"round {number} of {args.rounds}, {case}, {contender.name}: {rate:.1f} tokens/s",
                      file=sys.stderr, flush=True)
                if number > 0:  # The first round warms up.
                    samples.add(comparisons.key(case, contender.name), rate)
        if number > 0:
            for contender in everyone:
                samples.add(comparisons.key(comparisons.READING, contender.name), bandwidth(args, contender))
    return samples


def resource_rows(everyone):
    """Returns the startup seconds and the peak memory of all processes of persistent contenders."""
    return [[who.name, who.ready, memory.of_processes(memory.with_descendants(who.pids()))["peak"] / 1e6]
            for who in everyone if who.pids()]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    commit = subprocess.run(["git", "-C", paths.ROOT, "describe", "--always", "--dirty"], capture_output=True,
                            text=True, check=False).stdout.strip()
    return f"{model}, {os.cpu_count()} processors; commit {commit}; load before: {os.getloadavg()[0]:.1f}"


class Report:
    """Prints tables immediately, and keeps them for --out."""

    def __init__(self, folder):
        self.folder = folder
        self.text = []
        if folder:
            os.makedirs(folder, exist_ok=True)

    def line(self, text):
        self.text.append(text)
        print(text, flush=True)

    def note(self, text):
        """Adds a note that readers of the tables need. Shown at once, because the tables come much later."""
        self.text.append(f"\nNote: {text}")
        print(f"\n*** {text} ***\n", file=sys.stderr, flush=True)

    def table(self, name, head, rows):
        self.line("\n" + table.markdown(head, rows))
        if self.folder:
            table.write_csv(os.path.join(self.folder, name + ".csv"), head, rows)

    def close(self, samples):
        if self.folder:
            with open(os.path.join(self.folder, "tables.md"), "w", encoding="utf-8") as file:
                file.write("\n".join(self.text) + "\n")
            with open(os.path.join(self.folder, "samples.json"), "w", encoding="utf-8") as file:
                json.dump(samples.values, file, indent=1)


def main():
    args = parse()
    kept = ", ".join(map(str, processors.keep(args.threads)))
    report = Report(args.out)
    report.line(f"{machine()}\n{args.shape} model, {args.threads} threads on processors {kept}, {args.cpu}, "
                f"{args.rounds} rounds")
    if args.cpu_level:
        check_cpu_level(args)
        if "vllm" in args.peers:
            report.note("vLLM chooses its own kernels by the processor and cannot be told: only PyTorch below it keeps "
                        "to AVX2")
    formats = our_formats(args, report)
    samples = measure.Samples()
    if "rounds" in args.only:
        with contextlib.ExitStack() as stack:
            everyone = make_contenders(args, formats, stack, report)
            samples = run_rounds(args, everyone)
            speeds = {who.name: samples.median(comparisons.key(comparisons.READING, who.name)) for who in everyone}
            peaks = {unit: getattr(args, f"peak_{unit}") * 1e9 for unit in ("int8", "bf16", "float32")
                     if getattr(args, f"peak_{unit}")}
            report.table("comparison", comparisons.COMPARISON_HEAD, comparisons.comparison_rows(args.shape, samples))
            report.line(f"\nReading memory: {min(speeds.values()) / 1e9:.1f} to {max(speeds.values()) / 1e9:.1f} GB/s, "
                        "by how much is read")
            report.table("limits", comparisons.LIMIT_HEAD, comparisons.limit_rows(everyone, samples, speeds, peaks))
            report.table("resources", ["who", "ready after s", "peak memory MB"], resource_rows(everyone))
    rows = []
    if "processes" in args.only:
        rows += experiments.process_rows(args, formats[0])
    if "router" in args.only:
        rows += experiments.router_rows(args)
    if "mixed" in args.only:
        rows += experiments.mixed_rows(args, formats[0])
    if rows:
        report.table("alone", [f"this project alone, {formats[0]}", "measured", "target"], rows)
    if "packed" in args.only:
        if packed.format_of(args.model) is not None:
            report.note(f"{args.model} is packed already; packing is SKIPPED")
        elif not os.path.exists(packed.program(args.binaries)):
            report.note(f"{packed.program(args.binaries)} is not built (//tools/pack); packing is SKIPPED")
        else:
            report.table("packed", experiments.PACKED_HEAD, experiments.packed_rows(args))
    report.close(samples)


if __name__ == "__main__":
    failure.run(main)

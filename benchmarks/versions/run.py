#!/usr/bin/env python3
"""Compares the speed and memory of two builds of this project.

    git worktree add ../old REVISION && (cd ../old && bazel build -c opt TARGETS)
    bazel build -c opt TARGETS        # TARGETS: deploy/local:apollo_local tools/apollo benchmarks/load
    benchmarks/versions/run.py --old ../old/.bazel/bin [--new .bazel/bin] [--rounds 7] [--weights int8]

Both run the same cases in turns, in alternating order, each with all roles in one process. The first round warms up
and does not count. Prints medians, ratios (above 1: the new build is faster) and the peak memory. Exits with 1 if a
median is more than --tolerance (2) percent worse. Nothing else should run on the machine meanwhile.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]
from harness import cluster, failure, load, measure, paths, processors, table  # noqa: E402

STREAMS = (1, 8, 32)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", required=True, help="programs of the old build (.bazel/bin of its checkout)")
    parser.add_argument("--new", default=paths.BINARIES, help="programs of the new build; default: this checkout")
    parser.add_argument("--model", default=os.path.join(paths.CACHE, "demo"))
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--new_tokens", type=int, default=64)
    parser.add_argument("--tolerance", type=float, default=2, help="percent")
    return parser.parse_args()


def one_round(binaries, address, options):
    """Returns figures by case; higher is better."""
    figures = {"prefill of 512": load.prefill_rate(binaries, address, 512)}
    for streams in STREAMS:
        figures[f"decode, {streams} streams"] = load.decode_rate(binaries, address, streams, options.new_tokens)
    return figures


def measure_both(options):
    """Returns samples of every case, named "old CASE" or "new CASE", and the memory of each build at the end."""
    builds = {"old": os.path.abspath(options.old), "new": os.path.abspath(options.new)}
    flags = [f"--weights={options.weights}", "--cache_megabytes=512", "--cache_prefault"]
    samples = measure.Samples()
    with cluster.Cluster(builds["old"], options.model, options.threads, flags=flags) as old, \
            cluster.Cluster(builds["new"], options.model, options.threads, flags=flags) as new:
        servers = {"old": old, "new": new}
        for number in range(options.rounds + 1):
            for name in (("old", "new"), ("new", "old"))[number % 2]:
                # Both use the client of the new build, so only the servers differ.
                for case, value in one_round(builds["new"], servers[name].address, options).items():
                    if number > 0:
                        samples.add(f"{name} {case}", value)
            print(f"round {number} of {options.rounds}", file=sys.stderr)
        peaks = {name: server.memory()["peak"] for name, server in servers.items()}
    return samples, peaks


def main():
    options = parse()
    processors.keep(options.threads)
    samples, peaks = measure_both(options)
    cases = ["prefill of 512"] + [f"decode, {streams} streams" for streams in STREAMS]
    worse = []
    rows = []
    for case in cases:
        old, new = samples.median(f"old {case}"), samples.median(f"new {case}")
        low, high = samples.spread(f"old {case}")
        rows.append([case, old, new, f"{new / old:.3f}", f"{low / old:.3f} to {high / old:.3f}"])
        if new < old * (1 - options.tolerance / 100):
            worse.append(case)
    rows.append(["peak memory, MB", peaks["old"] >> 20, peaks["new"] >> 20, f"{peaks['new'] / peaks['old']:.3f}", "-"])
    print(table.markdown([f"{options.weights}, {options.rounds} rounds, tokens/s", "old", "new", "new / old",
                          "spread of the old"], rows))
    if peaks["new"] > peaks["old"] * (1 + options.tolerance / 100):
        worse.append("memory")
    if worse:
        print(f"worse by more than {options.tolerance}%: {', '.join(worse)}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except failure.Failure as error:
        sys.exit(f"{sys.argv[0]}: {error}")

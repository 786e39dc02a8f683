#!/usr/bin/env python3
"""Compares greedy decoding of one stream with Hugging Face transformers.

Both run the demo model's weights in float32 on the same machine, in turns: this
server answers one request, transformers answers one, and so on. Prints the medians
of tokens per second and their ratio.

  benchmarks/transformers/setup.sh            # once: a venv with transformers
  bazel build //deploy/local:apollo_local //router //dense_worker //expert_worker //tools/apollo //benchmarks/load
  benchmarks/decode/decode_vs_transformers.py --python VENV/bin/python [--rounds 5]

Both decode from a prompt of 128 tokens. This server's time is measured by the client, from
the first to the last token of the answer, so it includes gRPC and all processes.
"""

import argparse
import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import cluster, failure, load, measure, paths, processes, processors, table  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=os.path.join(paths.CACHE, "demo"))
    parser.add_argument("--python", default=os.path.join(paths.CACHE, "venv-transformers/bin/python"),
                        help="interpreter that has transformers (benchmarks/transformers/setup.sh)")
    parser.add_argument("--binaries", default=paths.BINARIES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-arguments", default="", help="additional arguments of decode_transformers.py")
    args = parser.parse_args()
    processors.keep(args.threads)

    peer_name = "transformers float32"
    samples = measure.Samples()
    with contextlib.ExitStack() as stack:
        clusters = {name: stack.enter_context(
            cluster.Cluster(args.binaries, args.model, args.threads, expert_workers))
            for name, expert_workers in (("one process", 0), ("three processes", 1))}
        peer = processes.LineProcess(
            [args.python, os.path.join(paths.ROOT, "benchmarks/transformers/decode_transformers.py"),
             "--interactive", f"--threads={args.threads}", f"--decode={args.tokens}",
             *args.peer_arguments.split()], stopped=True)
        stack.callback(peer.close)
        print("peer:", peer.head, flush=True)
        for round_number in range(args.rounds + 1):  # The first round warms up.
            row = {name: load.decode_rate(args.binaries, one.address, 1, args.tokens)
                   for name, one in clusters.items()}
            row[peer_name] = peer.ask("run")["decode_tokens_per_second"]
            print("round", round_number, {name: round(rate, 1) for name, rate in row.items()}, flush=True)
            if round_number > 0:
                for name, rate in row.items():
                    samples.add(name, rate)
    base = samples.median(peer_name)
    print(table.markdown(["decode, 1 stream, float32", "tokens/s", "ratio"],
                         [[name, samples.median(name), samples.median(name) / base] for name in row]))


if __name__ == "__main__":
    failure.run(main)

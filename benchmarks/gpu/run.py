#!/usr/bin/env python3
"""Measures a cluster of a router, a dense worker and an expert worker on one GPU, with random weights.

    bazel build -c opt --config=cuda //router //dense_worker //expert_worker //tools/apollo //benchmarks/load \\
        //benchmarks/gpu:random_model
    benchmarks/gpu/run.py --shape 7B --folder /dev/shm/m --tokenizer tests/golden/wide/tokenizer.json

Prints lines of JSON as it goes. Decoding is measured at a context of 256 tokens on average: prompts of 192, answers of
128. With --copy_gb_per_s and --tflops (of `kernels/cuda/benchmark bounds`) each speed is also given as a share of its
bound (bound.py). Both workers share the GPU, which gives them its time in slices.
"""

import argparse
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import cluster, failure, load, memory, paths, processes  # noqa: E402
import bound  # noqa: E402

PROMPT, ANSWER = 192, 128  # On average 256 tokens of context.
STREAMS = (1, 64)
LONG_PROMPT = 4096
# For tests without a GPU. The answers take much longer than the time between the starts of the streams.
TINY = {"streams": (1, 4), "answer": 1024, "prompt": 256}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", required=True, help="0.5B, 7B or tiny")
    parser.add_argument("--folder", required=True, metavar="DIR", help="an existing folder for the model")
    parser.add_argument("--tokenizer", required=True, metavar="FILE")
    parser.add_argument("--device", default="cuda:0", help="cuda:N; cpu only tests this script")
    parser.add_argument("--binaries", default=paths.BINARIES, metavar="DIR")
    parser.add_argument("--copy_gb_per_s", type=float)
    parser.add_argument("--tflops", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def say(**figures):
    print(json.dumps({name.replace("_", " "): value for name, value in figures.items()}), flush=True)


def flags(args):
    common = ["--weights=bf16", "--cache_dtype=bf16", f"--cache_megabytes={64 if args.shape == 'tiny' else 4096}"]
    return common if args.device == "cpu" else [*common, f"--device={args.device}"]


def share(args, measured_seconds, work):
    """Returns the share of the bound that was reached, in percent; None without measured ceilings."""
    if not args.copy_gb_per_s or not args.tflops:
        return None
    return round(100 * bound.seconds(work, args.copy_gb_per_s, args.tflops) / measured_seconds, 1)


def report(args, name, rate, tokens_at_once, work):
    figures = {f"{name} tokens/s": round(rate, 1)}
    percent = share(args, tokens_at_once / rate, work)
    if percent is not None:
        figures[f"{name} % of bound"] = percent
    say(**figures)


def measure(args, config, address):
    small = args.shape == "tiny"
    answer = TINY["answer"] if small else ANSWER
    for streams in TINY["streams"] if small else STREAMS:
        load.run(args.binaries, address, streams, PROMPT, 16)  # Warms up.
        rate = statistics.median(load.decode_rate(args.binaries, address, streams, answer, PROMPT)
                                 for _ in range(args.rounds))
        report(args, f"decode {streams} streams", rate, streams,
               bound.decode_step(config, streams, PROMPT + answer // 2))
    tokens = TINY["prompt"] if small else LONG_PROMPT
    load.prefill_rate(args.binaries, address, tokens)
    rate = statistics.median(load.prefill_rate(args.binaries, address, tokens) for _ in range(args.rounds))
    report(args, f"prefill of {tokens}", rate, tokens, bound.prompt(config, tokens))


def main():
    args = parse()
    begin = time.monotonic()
    processes.output([os.path.join(args.binaries, "benchmarks/gpu/random_model"), f"--shape={args.shape}",
                      f"--tokenizer={args.tokenizer}", f"--out={args.folder}"])
    say(model_written_s=round(time.monotonic() - begin, 1))
    config = memory.read_config(args.folder)
    threads = len(os.sched_getaffinity(0))
    with cluster.Cluster(args.binaries, args.folder, threads, 1, flags(args)) as running:
        say(ready_after_first_start_s=round(running.ready_seconds, 2))  # It computes the hash.
        measure(args, config, running.address)
    with cluster.Cluster(args.binaries, args.folder, threads, 1, flags(args)) as running:
        say(ready_after_s=round(running.ready_seconds, 2))


if __name__ == "__main__":
    failure.run(main)

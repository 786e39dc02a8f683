#!/usr/bin/env python3
"""Compares the simulation with real clusters of this machine, at sizes that no measurement of it was made at.

    bazel build -c opt //router //dense_worker //expert_worker //deploy/local:apollo_local //tools/apollo \\
        //benchmarks/load //tools/simulate //tools/simulate:measure
    tools/simulate/validate.py --model DIR [--times FILE] [--runs N] [--json FILE]

Runs each case on a real cluster (deploy/local) under the load of benchmarks/load, several times, and simulates the same
cluster and load, with processes that share the processors of this machine. Prints the error of the simulation beside
the spread of the runs: an error within the spread cannot be told from noise. docs/simulation.md explains the columns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from harness import cluster, failure, load, memory, paths, processors, table  # noqa: E402

# (streams, tokens of each prompt, tokens of each answer, expert workers). The measured stage times are by rows, of
# single stages: no case was measured.
CASES = [(1, 128, 48, 1), (4, 128, 48, 1), (12, 128, 48, 1), (4, 128, 48, 3), (12, 64, 48, 3), (2, 400, 32, 2)]
HEAD = ["streams", "prompt", "answer", "expert workers", "figure", "real", "spread", "simulated", "error"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory of a model with experts")
    parser.add_argument("--binaries", default=paths.BINARIES)
    parser.add_argument("--times", help="file of tools/simulate/measure; default: measures now")
    parser.add_argument("--threads", type=int, default=2, help="threads of each worker, and processors of all")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--affinity", type=float, default=2 / 7, help="share of tokens whose gate chooses the expert of "
                        "their family; default 2/7: a random gate")
    parser.add_argument("--runs", type=int, default=5, help="runs of each real case; the median counts")
    parser.add_argument("--cases", type=int, default=len(CASES), help="runs only the first so many cases")
    parser.add_argument("--minutes", type=float, default=10, help="time for all: after 80%% of it cases that wait are "
                        "skipped, and say so; a running one ends after its current run")
    parser.add_argument("--json", help="file for the result")
    args = parser.parse_args()
    args.end = time.monotonic() + 0.8 * 60 * args.minutes
    return args


def figures(streams):
    """Returns (seconds to the first token, seconds between tokens, tokens per second), medians over streams."""
    first = statistics.median(s["tokens"][0] - s["start"] for s in streams)
    gaps = [b - a for s in streams for a, b in zip(s["tokens"], s["tokens"][1:])]
    begin, end = min(s["start"] for s in streams), max(s["tokens"][-1] for s in streams)
    return first, statistics.mean(gaps), sum(len(s["tokens"]) for s in streams) / (end - begin)


def real(args, case):
    streams, prompt, answer, workers = case
    flags = [f"--weights={args.weights}"]
    with cluster.Cluster(args.binaries, args.model, args.threads, workers, flags) as running:
        load.run(args.binaries, running.address, streams, prompt, answer)  # Warms up.
        runs = []
        while len(runs) < args.runs and (not runs or time.monotonic() < args.end):
            runs.append(figures(load.run(args.binaries, running.address, streams, prompt, answer)))
    return list(zip(*runs))


def scenario(args, case, times):
    streams, prompt, answer, workers = case
    config = memory.read_config(args.model)
    return {
        "seconds": 600, "times": times,
        "model": {"sparse_layers": config["num_hidden_layers"] - boundary(config), "experts": config["num_experts"],
                  "experts_per_token": config["num_experts_per_tok"], "hidden": config["hidden_size"],
                  "affinity": args.affinity},
        "machines": {"cores": args.threads}, "expert_workers": {"count": workers},
        "traffic": {"streams": streams, "prompt_tokens": prompt, "answer_tokens": answer, "languages": {"en": 1}}}


def boundary(config):
    """Returns the first sparse layer: the layers before it are listed."""
    return len(config["mlp_only_layers"])


def simulated(args, case, times):
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "scenario.json"), os.path.join(folder, "out.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(scenario(args, case, times), file)
        subprocess.run([os.path.join(args.binaries, "tools/simulate/simulate"), path, "--json", out], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            report = json.load(file)
    # All streams begin together and have the same length, so the longest is as long as the run.
    return (report["first_token"]["p50"], report["between_tokens"]["mean"],
            report["tokens"] / report["whole_request"]["max"])


def measured_times(args):
    with tempfile.TemporaryDirectory() as folder:
        path = args.times or os.path.join(folder, "times.json")
        if not args.times:
            subprocess.run([os.path.join(args.binaries, "tools/simulate/measure"), "--model", args.model, "--out", path,
                            "--threads", str(args.threads), "--weights", args.weights], check=True)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def main():
    args = parse()
    processors.keep(args.threads)
    times = measured_times(args)
    rows = []
    for case in CASES[:args.cases]:
        if time.monotonic() >= args.end:
            print("skipped, because --minutes are over:", *case, file=sys.stderr, flush=True)
            continue
        for name, runs, value in zip(("first token, s", "between tokens, s", "tokens/s"), real(args, case),
                                     simulated(args, case, times)):
            middle = statistics.median(runs)
            spread = (max(runs) - min(runs)) / 2 / middle
            rows.append([*case, name, middle, f"±{spread:.0%}", value, f"{value / middle - 1:+.0%}"])
            print(*rows[-1], file=sys.stderr, flush=True)
    print(table.markdown(HEAD, rows))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"times": times, "head": HEAD, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    failure.run(main)

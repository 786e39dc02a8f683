#!/usr/bin/python3
"""Measures throughput, latency and memory by numbers of streams and expert workers and by prompt length.

    tools/routing_map/setup.sh                                      # once: installs matplotlib
    bazel build -c opt //deploy/local:apollo_local //router //dense_worker //expert_worker //tools/apollo //benchmarks/load
    benchmarks/growth/run.py --out DIR [--weights int8]

Each point gets its own cluster: a router, a dense worker, expert workers. The first run warms up, and memory is read
after it; the other figures are medians of the following runs. All prompts are new, so none is found in the cache.
Writes DIR/growth.csv, growth.md, growth.svg and growth.png. docs/benchmarks.md explains the columns.
"""

import argparse
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import cluster, failure, load, memory, paths, processes, processors, table  # noqa: E402
import points  # noqa: E402


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of at least 1')
    return int(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="output directory; created if missing")
    parser.add_argument("--model", default=os.path.join(paths.CACHE, "demo"))
    parser.add_argument("--weights", default="auto", help="format of the weights; auto: as in the checkpoint")
    parser.add_argument("--threads", type=positive, default=2, help="threads per worker")
    parser.add_argument("--new_tokens", type=positive, default=64, help="tokens per answer")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--sweeps", default="streams,prompt,expert workers", help="comma-separated subset of the default")
    parser.add_argument("--most", type=positive, default=10**9, help="skip points beyond this value, for a quick run")
    parser.add_argument("--binaries", default=paths.BINARIES)
    parser.add_argument("--no_plot", action="store_true", help="write the tables only")
    return parser.parse_args()


def context_of(args, address):
    return json.loads(processes.output([os.path.join(args.binaries, "tools/apollo/apollo"), "--server", address,
                                        "--json", "model"]))["max_context_tokens"]


def measure_point(args, flags, point):
    with cluster.Cluster(args.binaries, args.model, args.threads, point.expert_workers, flags) as running:
        runs, used = [], None
        for _ in range(args.rounds + 1):
            streams = load.run(args.binaries, running.address, point.streams, point.prompt, args.new_tokens)
            if used is None:
                used = running.memory()
            else:
                runs.append(points.figures(streams))
    return [*(statistics.median(column) for column in zip(*runs)), used["pss"] / 1e6, used["rss"] / 1e6]


def main():
    args = parse()
    processors.keep(args.threads)
    draw = None
    if not args.no_plot:
        try:  # Before any work, so that no work is lost.
            import draw  # pylint: disable=import-outside-toplevel
        except ImportError:
            raise failure.Failure("matplotlib is missing: run tools/routing_map/setup.sh, or use --no_plot") from None
    flags = []
    if cluster.knows_flag(args.binaries, "weights"):
        flags = [f"--weights={args.weights}"]
    elif args.weights != "auto":
        raise failure.Failure(f"the programs in {args.binaries} have no flag --weights, so only auto can be measured")
    with cluster.Cluster(args.binaries, args.model, args.threads, 0, flags) as running:
        context = context_of(args, running.address)
    wanted, notes = points.sweeps(context, args.new_tokens, memory.read_config(args.model)["num_experts"])
    wanted = [p for p in wanted if p.sweep in args.sweeps.split(",") and p.at <= args.most]
    if not wanted:
        raise failure.Failure(f"--sweeps={args.sweeps} --most={args.most} leave no point to measure")
    rows = []
    for point in wanted:
        rows.append([point.sweep, point.streams, point.prompt, point.expert_workers,
                     *measure_point(args, flags, point)])
        print(" ".join(f"{name}: {table.number(value)};" for name, value in zip(points.HEAD, rows[-1])),
              file=sys.stderr, flush=True)
    os.makedirs(args.out, exist_ok=True)
    table.write_csv(os.path.join(args.out, "growth.csv"), points.HEAD, rows)
    text = table.markdown(points.HEAD, rows) + "".join(f"\n\n{note}" for note in notes) + "\n"
    with open(os.path.join(args.out, "growth.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text)
    if draw:
        title = f"{os.path.basename(args.model)}, weights {args.weights}, {args.threads} threads for each worker"
        draw.draw([{**dict(zip(points.HEAD, row)), "at": point.at} for row, point in zip(rows, wanted)], title,
                  [os.path.join(args.out, name) for name in ("growth.svg", "growth.png")])


if __name__ == "__main__":
    failure.run(main)

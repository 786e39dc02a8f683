#!/usr/bin/python3
"""Draws results of tools/simulate: tokens per second and pauses over time, and the latency of each result.

    tools/routing_map/setup.sh                                      # once: installs matplotlib
    tools/simulate/plot.py --out FILE.svg RESULT.json...
"""

import argparse
import json
import sys
import textwrap


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FILE", help="picture to write (.svg or .png)")
    parser.add_argument("--expert", type=int, default=6, help="expert whose holders are drawn; default 6, that of Swahili")
    parser.add_argument("results", nargs="+", metavar="RESULT", help="files that simulate --json has written")
    return parser.parse_args()


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def draw_holders(axes, result, expert):
    held = [second[expert] for second in result["holders_by_second"] if expert < len(second)]
    axes.plot(held, linewidth=1, drawstyle="steps-post")


def draw_latency(axes, results, key, title):
    for at, result in enumerate(results):
        times = result[key]
        axes.barh(at, times["p99"], color="lightsteelblue", label="p99" if at == 0 else None)
        axes.barh(at, times["p50"], color="steelblue", label="p50" if at == 0 else None)
    axes.set_yticks(range(len(results)), [textwrap.fill(result["name"], 30) for result in results], fontsize=7)
    axes.set_xlabel("seconds")
    axes.set_title(title)
    axes.legend()


def main():
    args = parse()
    try:
        import matplotlib  # pylint: disable=import-outside-toplevel
    except ImportError:
        sys.exit("plot.py: matplotlib is missing: run tools/routing_map/setup.sh")
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "simulate"  # The same file each time.
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    results = [read(path) for path in args.results]
    figure, (over_time, pauses, holders, first, between) = pyplot.subplots(5, 1, figsize=(9, 14), layout="constrained")
    for result in results:
        over_time.plot(result["tokens_by_second"], label=result["name"], linewidth=1)
        pauses.plot(result["between_tokens_p99_by_second"], linewidth=1)
        draw_holders(holders, result, args.expert)
    over_time.set_ylabel("tokens per second")
    over_time.legend(fontsize=7)
    pauses.set_ylabel("seconds")
    pauses.set_title("time between tokens, p99 of each second")
    holders.set_title(f"workers that hold expert {args.expert}")
    for axes in (over_time, pauses, holders):
        axes.set_xlabel("simulated seconds")
        axes.set_ylim(bottom=0)
    draw_latency(first, results, "first_token", "time to the first token")
    draw_latency(between, results, "between_tokens", "time between tokens")
    figure.savefig(args.out, metadata={"Date": None} if args.out.endswith(".svg") else None)


if __name__ == "__main__":
    main()

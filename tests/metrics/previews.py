#!/usr/bin/env python3
"""Draws the dashboards of deploy/grafana with matplotlib, from the same queries: the pictures of docs/dashboards.md.

Starts a small cluster, calls it in several languages, and asks a Prometheus that scrapes it.

Usage: previews.py [--minutes N] [--out DIR] [--data FILE] BINARIES MODEL
       previews.py --from FILE [--out DIR]
  --minutes N  of load (default 5); two workers are lost on the way
  --out DIR    of the pictures (default docs/images)
  --data FILE  also keeps the answers of Prometheus
  --from FILE  draws these instead

Needs prometheus, python3-grpcio, protoc and python3-matplotlib (tools/install_packages.sh --dev --plots).
"""

import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from draw import draw  # noqa: E402
from panels import read_panels  # noqa: E402

LAYERS = ["2", "3"]  # Of tests/golden/published.
POINTS = 150


def measure(binaries, model, minutes):
    """Returns the results of the targets of each panel."""
    # Drawing needs none of these.
    from load import Load, keys, policy  # pylint: disable=import-outside-toplevel
    from prometheus import Prometheus  # pylint: disable=import-outside-toplevel
    from small_cluster import MORE_ROLES, SmallCluster  # pylint: disable=import-outside-toplevel
    cluster = SmallCluster(binaries, model, MORE_ROLES, policy(), keys())
    prometheus = load = None
    try:
        cluster.await_serving()
        prometheus = Prometheus(cluster)
        cluster.eventually(lambda: prometheus.healths() == ["up"] * len(MORE_ROLES), "all targets are up")
        load = Load(cluster.address("router"), each=2, pause=0.3)
        seconds = minutes * 60
        time.sleep(0.5 * seconds)
        cluster.kill("expert-worker-1")
        time.sleep(0.2 * seconds)
        cluster.kill("dense-worker-1")
        time.sleep(0.3 * seconds)
        step = max(1, seconds // POINTS)
        return [[prometheus.query(target.expression) if target.instant
                 else prometheus.query_range(target.expression, seconds, step) for target in panel.targets]
                for panel in read_panels(30, LAYERS)]
    finally:
        if load:
            load.end()
        if prometheus:
            prometheus.stop()
        cluster.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/images"))
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--from", dest="source", type=pathlib.Path)
    parser.add_argument("binaries", nargs="?")
    parser.add_argument("model", nargs="?")
    args = parser.parse_args()
    if (args.source is None) == (args.model is None):
        parser.error("give BINARIES and MODEL, or --from")
    results = (measure(args.binaries, args.model, args.minutes) if args.source is None
               else json.loads(args.source.read_text()))
    if args.data:
        args.data.write_text(json.dumps(results))
    args.out.mkdir(parents=True, exist_ok=True)
    drawn = list(zip(read_panels(30, LAYERS), results, strict=True))
    for name in dict.fromkeys(panel.dashboard for panel, _ in drawn):
        draw([(panel, result) for panel, result in drawn if panel.dashboard == name],
             args.out / f"dashboard_{name}.png")


if __name__ == "__main__":
    main()

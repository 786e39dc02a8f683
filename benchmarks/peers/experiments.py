"""Measurements of this project alone: links between processes, router overhead, mixed load, startup and memory."""

import contextlib
import os
import tempfile

from harness import cluster, load, measure, packed, processes

from contenders import PROMPT, worker_flags

ARRIVALS = 8
ARRIVAL_PROMPT = 2048
RUNNING_STREAMS = 4


def _median_gap(args, address):
    return measure.percentile(measure.all_gaps(load.run(args.binaries, address, 1, PROMPT, args.new_tokens)), 50)


def process_rows(args, weights_format):
    """Compares the time per token of one stream in three processes and in one, in turns; the ratio is of medians."""
    flags = worker_flags(args.binaries, weights_format)
    samples = measure.Samples()
    with cluster.Cluster(args.binaries, args.model, args.threads, 0, flags, args.cpu_level) as one, \
            cluster.Cluster(args.binaries, args.model, args.threads, 1, flags, args.cpu_level) as three:
        for number in range(args.rounds + 1):
            for name, running in (("one", one), ("three", three)):
                gap = _median_gap(args, running.address)
                if number > 0:  # The first one warms up.
                    samples.add(name, gap)
        more = 100 * (samples.median("three") / samples.median("one") - 1)
        return [["time per token, one process, ms", 1e3 * samples.median("one"), None],
                ["time per token, three processes, ms", 1e3 * samples.median("three"), None],
                ["three processes take longer by, %", more, "8, at most 15"],
                ["ready after, three processes, s", three.ready_seconds, None],
                ["peak memory, three processes, MB", three.memory()["peak"] / 1e6, None]]


PACKED_HEAD = ["weights", "ready after s", "target", "peak memory MB", "decode 1, tokens/s"]
PACKED_READY_SECONDS = 5


def packed_rows(args):
    """Compares a process with packed weights (tools/pack) and one that converts them, decoding one stream in turns."""
    rows = []
    for kind in ("int8", "int4"):
        samples = measure.Samples()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            model = os.path.join(folder, kind)
            packed.pack(args.binaries, args.model, kind, args.threads, model)
            running = {f"{kind}, {how}": stack.enter_context(cluster.Cluster(
                args.binaries, where, args.threads, 0, [f"--weights={kind}"], args.cpu_level))
                for how, where in (("packed", model), ("converted", args.model))}
            for number in range(args.rounds + 1):
                for name, one in running.items():
                    rate = load.decode_rate(args.binaries, one.address, 1, args.new_tokens, PROMPT)
                    if number > 0:  # The first one warms up.
                        samples.add(name, rate)
            rows += [[name, one.ready_seconds, PACKED_READY_SECONDS if name.endswith("packed") else None,
                      one.memory()["peak"] / 1e6, samples.median(name)] for name, one in running.items()]
    return rows


def router_rows(args):
    """Measures the router's delay: percentiles with it minus those without it. See benchmarks/router/main.cc."""
    peer = processes.LineProcess([os.path.join(args.binaries, "benchmarks/router/router_overhead"),
                                  f"--requests={args.router_requests}"])
    try:
        with cluster.StandInRouter(args.binaries, args.model, peer.head["dense_worker"]) as router:
            times = peer.ask(router.address)
    finally:
        peer.close()
    rows = []
    for what, target in (("requests", {50: 300, 99: None}), ("tokens", {50: 30, 99: None})):
        for percent in (50, 99):
            added = 1e6 * (measure.percentile(times["router"][what], percent)
                           - measure.percentile(times["direct"][what], percent))
            rows.append([f"router adds per {what[:-1]}, p{percent}, us", added, target[percent]])
    for what in ("requests", "tokens"):
        rows.append([f"the same way without a router, per {what[:-1]}, p50, us",
                     1e6 * measure.percentile(times["direct"][what], 50), None])
    rows.append(["a byte from thread to thread through TCP, p50, us", 1e6 * measure.percentile(times["hop"], 50), None])
    return rows


def mixed_rows(args, weights_format):
    """Compares gaps of running streams while long prompts arrive, one at a time, with those before."""
    with cluster.Cluster(args.binaries, args.model, args.threads, 0, worker_flags(args.binaries, weights_format),
                         args.cpu_level) as running:
        load.run(args.binaries, running.address, RUNNING_STREAMS, PROMPT, 16)  # Warms up.
        streams = load.run(args.binaries, running.address, RUNNING_STREAMS, PROMPT, args.mixed_tokens, ARRIVALS,
                           ARRIVAL_PROMPT)
    idle, mixed = measure.idle_and_mixed_gaps(streams)
    waits = [measure.first_token(s) for s in streams if s["group"] == "arriving"]
    middle, worst = measure.percentile(idle, 50), measure.percentile(mixed, 99)
    return [[f"gap of {RUNNING_STREAMS} streams alone, p50, ms", 1e3 * middle, None],
            [f"gap of {RUNNING_STREAMS} streams alone, p99, ms", 1e3 * measure.percentile(idle, 99), None],
            [f"gap while prompts of {ARRIVAL_PROMPT} arrive, p50, ms", 1e3 * measure.percentile(mixed, 50), None],
            [f"gap while prompts of {ARRIVAL_PROMPT} arrive, p99, ms", 1e3 * worst, None],
            ["this p99 / p50 alone", worst / middle, 3],
            [f"first token of a prompt of {ARRIVAL_PROMPT}, p50, ms", 1e3 * measure.percentile(waits, 50), None]]

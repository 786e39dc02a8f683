#!/usr/bin/env python3
"""Measures that the prefix cache tells one caller nothing about the prompts of another.

    bazel build -c opt //router //dense_worker //expert_worker //tools/apollo
    benchmarks/tenants/run.py [--out FILE] [--rounds 7] [--prompt_words 400]

A cluster with TLS and a policy of two callers with tenants of their own. In each round caller A sends a new prompt,
then the same one again, and then B sends it. Prints the median time to the first token, which the router measures from
the arrival of the request, and the tokens that were found in the cache. Exits with 1 if B found any, or A found none.
The first round warms up and does not count. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]
from harness import cluster, failure, measure, paths, processes, processors, table  # noqa: E402
from launch import certificates  # noqa: E402

ASKS = (("A, a new prompt", "a"), ("A, again", "a"), ("B, the same prompt", "b"))
WORDS = ("the patient has a mild fever and some pain in the left arm after a long walk in the cold rain with no other "
         "sign of illness but a dry cough that began two days ago at night").split()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="file for the table, in Markdown; default: only printed")
    parser.add_argument("--model", default=os.path.join(paths.CACHE, "demo"))
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--prompt_words", type=int, default=400)
    parser.add_argument("--binaries", default=paths.BINARIES)
    return parser.parse_args()


class Tenants(cluster.Cluster):
    """A cluster whose router admits the callers a and b, by their certificates."""

    def __init__(self, options, policy):
        super().__init__(options.binaries, options.model, options.threads, expert_workers=1,
                         flags=[f"--weights={options.weights}"])
        self._binaries = options.binaries
        self._layout.tls = True
        self._layout.router_flags = [f"--policy={policy}"]

    def __enter__(self):
        super().__enter__()
        made = subprocess.run([certificates.SCRIPT, certificates.folder(self._folder.name), "client/a", "client/b"],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if made.returncode != 0:
            self.__exit__()
            raise failure.Failure(f"no certificates of the callers: {made.stderr.strip()}")
        return self

    def ask(self, caller, prompt):
        """Returns the seconds to the first token, the tokens found in the cache, and those of the prompt."""
        out = processes.output([
            os.path.join(self._binaries, "tools/apollo/apollo"), f"--server={self.address}", "--json",
            *certificates.flags(self._folder.name, caller), "ask", "--raw", "--language=en", "--max_new_tokens=1",
            "--ignore_eos", prompt])
        finished = [event["finished"] for event in map(json.loads, out.splitlines()) if "finished" in event][-1]
        usage = finished["usage"]
        return (finished["timings"]["first_token_seconds"], int(usage.get("cached_tokens", 0)),
                int(usage["prompt_tokens"]))


def write_policy(path):
    callers = [{"name": name, "role": "client", "identities": {"uris": [f"spiffe://apollo/client/{name}"]}}
               for name in ("a", "b")]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "callers": callers}, file)


def measure_all(options, running):
    """Returns the samples of times and of cached tokens, and the tokens of the last prompt."""
    times, cached, tokens = measure.Samples(), measure.Samples(), 0
    for number in range(options.rounds + 1):
        prompt = " ".join(random.choices(WORDS, k=options.prompt_words))
        for name, caller in ASKS:
            seconds, found, tokens = running.ask(caller, prompt)
            if number > 0:
                times.add(name, seconds)
                cached.add(name, found)
    return times, cached, tokens


def main():
    options = parse()
    processors.keep(options.threads)
    with tempfile.TemporaryDirectory() as work:
        policy = os.path.join(work, "policy.json")
        write_policy(policy)
        with Tenants(options, policy) as running:
            times, cached, tokens = measure_all(options, running)
    cold = times.median(ASKS[0][0])
    rows = [[name, 1000 * times.median(name), *(1000 * bound for bound in times.spread(name)),
             times.median(name) / cold, int(cached.median(name))] for name, _ in ASKS]
    text = table.markdown([f"prompt of about {tokens} tokens", "first token (ms)", "least", "most", "of a new prompt's",
                           "cached tokens"], rows)
    print(text)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    new, again, other = (cached.spread(name) for name, _ in ASKS)
    if new[1] > 0 or other[1] > 0 or again[0] == 0:
        raise failure.Failure("only A, when it asks again, may find its prompt in the cache, and must")


if __name__ == "__main__":
    failure.run(main)

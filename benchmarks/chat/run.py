#!/usr/bin/env python3
"""Measures the time to the first token of each turn of a chat, and of a long prompt that is sent again.

    bazel build -c opt //router //dense_worker //expert_worker //deploy/local:apollo_local //tools/apollo
    benchmarks/chat/run.py [--out FILE] [--turns 29] [--rounds 3] [--prompt_words 4000] [--one_process]

In each round a new chat grows by --turn_words words with each turn; each turn sends it as a whole and asks for one token.
Then a new prompt of --prompt_words words is sent twice. Prints, for some turns and both prompts, the prompt tokens, those
that the dense worker found in its cache, and the median time to the first token, which the router measures from the
arrival of the request. With --noprefix_caching nothing is found, for comparison. The first round warms up and does not
count. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]
from harness import cluster, failure, measure, paths, processes, processors, table  # noqa: E402

WORDS = ("the patient has a mild fever and some pain in the left arm after a long walk in the cold rain with no other "
         "sign of illness but a dry cough that began two days ago at night").split()
PROMPTS = ("a new prompt", "the same prompt again")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="file for the table, in Markdown; default: only printed")
    parser.add_argument("--model", default=os.path.join(paths.CACHE, "demo"))
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=29)
    parser.add_argument("--turn_words", type=int, default=60)
    parser.add_argument("--prompt_words", type=int, default=4000)
    parser.add_argument("--one_process", action="store_true", help="all roles in one process")
    parser.add_argument("--noprefix_caching", action="store_true", help="nothing is kept")
    parser.add_argument("--binaries", default=paths.BINARIES)
    options = parser.parse_args()
    if options.turns < 2:
        parser.error(f"--turns is {options.turns}; it must be at least 2, because turn 2 is the measure of the others")
    return options


def words(count):
    return " ".join(random.choices(WORDS, k=count))


def ask(options, running, prompt):
    """Returns the seconds to the first token, the tokens of the prompt, and those found in the cache."""
    out = processes.output([
        os.path.join(options.binaries, "tools/apollo/apollo"), f"--server={running.address}", "--json", "ask", "--raw",
        "--language=en", "--max_new_tokens=1", "--ignore_eos", prompt])
    finished = [event["finished"] for event in map(json.loads, out.splitlines()) if "finished" in event][-1]
    usage = finished["usage"]
    return (finished["timings"]["first_token_seconds"], int(usage["prompt_tokens"]), int(usage.get("cached_tokens", 0)))


def measure_all(options, running):
    """Returns the samples of times, prompt tokens and cached tokens, by turn or name of the prompt."""
    samples = measure.Samples(), measure.Samples(), measure.Samples()
    for number in range(options.rounds + 1):
        chat = ""
        asks = []
        for turn in range(1, options.turns + 1):
            chat = f"{chat} {words(options.turn_words)}".strip()
            asks.append((turn, chat))
        prompt = words(options.prompt_words)
        for name, text in [*asks, *((name, prompt) for name in PROMPTS)]:
            figures = ask(options, running, text)
            if number > 0:
                for sample, figure in zip(samples, figures):
                    sample.add(name, figure)
    return samples


def rows(options, times, tokens, cached):
    """Returns the rows of the table: the first turns, each fifth, and the last one; then the two prompts."""
    turns = sorted({1, 2, 3, options.turns, *range(5, options.turns, 5)} & set(range(1, options.turns + 1)))
    second = times.median(2)
    return [[f"turn {name}" if isinstance(name, int) else name, int(tokens.median(name)), int(cached.median(name)),
             1000 * times.median(name), *(1000 * bound for bound in times.spread(name)), times.median(name) / second]
            for name in [*turns, *PROMPTS]]


def main():
    options = parse()
    processors.keep(options.threads)
    flags = [f"--weights={options.weights}", *(["--noprefix_caching"] if options.noprefix_caching else [])]
    with cluster.Cluster(options.binaries, options.model, options.threads,
                         expert_workers=0 if options.one_process else 1, flags=flags) as running:
        times, tokens, cached = measure_all(options, running)
    text = table.markdown(["prompt", "tokens", "cached tokens", "first token (ms)", "least", "most", "of turn 2's"],
                          rows(options, times, tokens, cached))
    print(text)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    failure.run(main)

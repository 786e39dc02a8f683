"""Runs benchmarks/load against a cluster."""

import json
import os

from . import measure, processes


def run(binaries, address, streams=1, prompt_tokens=128, new_tokens=64, arrivals=0, arrival_prompt_tokens=2048,
        arrivals_after=64, flags=()):
    """Returns the streams as printed by the program: group, start, prompt_tokens, tokens. All prompts are new.

    `flags` are further ones, such as those of TLS.
    """
    out = processes.output([
        os.path.join(binaries, "benchmarks/load/load"), f"--server={address}", f"--streams={streams}",
        f"--prompt_tokens={prompt_tokens}", f"--new_tokens={new_tokens}", f"--arrivals={arrivals}",
        f"--arrival_prompt_tokens={arrival_prompt_tokens}", f"--arrivals_after={arrivals_after}", *flags])
    return json.loads(out)["streams"]


def decode_rate(binaries, address, streams, new_tokens, prompt_tokens=128):
    return measure.decode_rate(run(binaries, address, streams, prompt_tokens, new_tokens))


def prefill_rate(binaries, address, prompt_tokens):
    return measure.prefill_rate(run(binaries, address, 1, prompt_tokens, 1)[0])

"""The points at which cost is measured, and the figures reported for each."""

import dataclasses

from harness import measure

STREAMS = (1, 2, 4, 8, 16, 32, 64)
PROMPTS = (128, 256, 512, 1024, 2048, 4096, 8192)
EXPERT_WORKERS = (1, 2, 3, 7)
# Streams in the sweep of expert workers: a single stream would keep only one of them busy.
BUSY_STREAMS = 8
PROMPT = 128


@dataclasses.dataclass(frozen=True)
class Point:
    sweep: str  # The parameter that changes: "streams", "prompt" or "expert workers".
    streams: int
    prompt: int
    expert_workers: int

    @property
    def at(self):
        """Returns the value of the parameter that changes."""
        return {"streams": self.streams, "prompt": self.prompt, "expert workers": self.expert_workers}[self.sweep]


def sweeps(context, new_tokens, experts):
    """Returns all points, and notes on those that differ from the request."""
    notes = []
    points = [Point("streams", n, PROMPT, 1) for n in STREAMS]
    longest = context - new_tokens
    lengths = [length for length in PROMPTS if length <= longest]
    if len(lengths) < len(PROMPTS):
        notes.append(f"The longest prompt has {longest:,} tokens, not {PROMPTS[-1]:,}: the model's context has "
                     f"{context:,}, of which the answer takes {new_tokens}.")
        if longest not in lengths:
            lengths.append(longest)
    points += [Point("prompt", 1, length, 1) for length in lengths]
    for workers in EXPERT_WORKERS:
        if workers <= experts:
            points.append(Point("expert workers", BUSY_STREAMS, PROMPT, workers))
        else:
            notes.append(f"{workers} expert workers are left out: the model has {experts} experts.")
    return points, notes


HEAD = ["sweep", "streams", "prompt tokens", "expert workers", "decode tokens/s", "prompt tokens/s", "gap p50 ms",
        "gap p99 ms", "first token p50 ms", "first token p99 ms", "memory MB", "rss MB"]


def figures(streams):
    """Returns the columns of HEAD between "expert workers" and "memory MB" for one run, in order."""
    between = measure.all_gaps(streams)
    first = [measure.first_token(stream) for stream in streams]
    prompts = sum(stream["prompt_tokens"] for stream in streams)
    return [measure.decode_rate(streams), prompts / max(first), 1e3 * measure.percentile(between, 50),
            1e3 * measure.percentile(between, 99), 1e3 * measure.percentile(first, 50),
            1e3 * measure.percentile(first, 99)]

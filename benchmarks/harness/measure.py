"""Figures computed from the arrival times of tokens."""

import statistics


def percentile(values, percent):
    """Returns a percentile by linear interpolation: 0 is the minimum, 100 the maximum."""
    if not values:
        raise ValueError("no values")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not a percentage")
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def gaps(stream):
    """Returns the times between consecutive tokens of one stream."""
    tokens = stream["tokens"]
    return [after - before for before, after in zip(tokens, tokens[1:])]


def all_gaps(streams):
    return [gap for stream in streams for gap in gaps(stream)]


def first_token(stream):
    return stream["tokens"][0] - stream["start"]


def decode_rate(streams):
    """Returns tokens per second while all streams decode: from the last first token to the first last token.

    Excludes prefill, and the time in which streams wait for others to end.
    """
    begin = max(stream["tokens"][0] for stream in streams)
    end = min(stream["tokens"][-1] for stream in streams)
    if end <= begin:
        raise ValueError("there was no time in which all streams decoded; generate more tokens per stream")
    # The token at the beginning belongs to earlier work.
    return sum(begin < token <= end for stream in streams for token in stream["tokens"]) / (end - begin)


def whole_rate(streams):
    """Returns generated tokens per second, from the first request to the last token."""
    begin = min(stream["start"] for stream in streams)
    end = max(stream["tokens"][-1] for stream in streams)
    return sum(len(stream["tokens"]) for stream in streams) / (end - begin)


def prefill_rate(stream):
    """Returns prompt tokens per second until the first token."""
    return stream["prompt_tokens"] / first_token(stream)


def idle_and_mixed_gaps(streams):
    """Returns the gaps of running streams before the first arrival, and from then to the last arrival's first token.

    A gap belongs to the second group if any part of it does. Gaps before all streams run belong to neither.
    """
    running = [s for s in streams if s["group"] == "running"]
    arriving = [s for s in streams if s["group"] == "arriving"]
    going = max(s["tokens"][0] for s in running)
    begin = min(s["start"] for s in arriving)
    end = max(s["tokens"][-1] for s in arriving)
    idle, mixed = [], []
    for stream in running:
        for before, after in zip(stream["tokens"], stream["tokens"][1:]):
            if before >= going and after <= begin:
                idle.append(after - before)
            elif after > begin and before < end:
                mixed.append(after - before)
    return idle, mixed


class Samples:
    """Values by name, one per round."""

    def __init__(self):
        self.values = {}

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.values[name])

    def best(self, names):
        """Returns the name with the highest median, or None if there are no values."""
        known = [name for name in names if name in self.values]
        return max(known, key=self.median, default=None)

    def spread(self, name):
        return min(self.values[name]), max(self.values[name])

"""The comparisons with their targets, and the tables."""

import dataclasses

OURS = ("int8", "int4", "bf16", "float32", "auto")
LLAMA = ("llama.cpp Q8_0", "llama.cpp Q4_0")
VLLM = "vLLM bf16"
BATCH_PEERS = (*LLAMA, VLLM)
TRANSFORMERS = ("transformers float32", "transformers bf16")

CASES = {"decode 1": ("decode", 1), "decode 8": ("decode", 8), "decode 32": ("decode", 32),
         "prefill 512": ("prefill", 512)}


@dataclasses.dataclass
class Comparison:
    what: str
    case: str
    ours: tuple
    peers: tuple
    target: float
    floor: float


COMPARISONS = {
    "demo": [
        Comparison("decode, 1 stream, int8 / Q8_0", "decode 1", ("int8",), LLAMA[:1], 1.25, 1.0),
        Comparison("decode, 1 stream, int4 / Q4_0", "decode 1", ("int4",), LLAMA[1:], 1.25, 1.0),
        Comparison("decode, 8 streams, best / best", "decode 8", OURS, BATCH_PEERS, 1.3, 1.0),
        Comparison("decode, 32 streams, best / best", "decode 32", OURS, BATCH_PEERS, 1.5, 1.0),
        Comparison("prefill of 512, int8 / Q8_0", "prefill 512", ("int8",), LLAMA[:1], 3.0, 1.5),
        Comparison("prefill of 512, int8 / vLLM", "prefill 512", ("int8",), (VLLM,), 1.5, 1.0),
        Comparison("decode, 1 stream, best / transformers", "decode 1", OURS, TRANSFORMERS, 6.0, 4.0),
    ],
    "0.5b": [
        Comparison("decode, 1 stream, int8 / Q8_0", "decode 1", ("int8",), LLAMA[:1], 1.05, 0.95),
        Comparison("decode, 1 stream, int4 / Q4_0", "decode 1", ("int4",), LLAMA[1:], 1.05, 0.95),
        Comparison("decode, 8 streams, best / best", "decode 8", OURS, BATCH_PEERS, 1.5, 1.0),
        Comparison("decode, 32 streams, best / best", "decode 32", OURS, BATCH_PEERS, 1.5, 1.0),
        Comparison("prefill of 512, best / vLLM", "prefill 512", OURS, (VLLM,), 1.5, 1.0),
    ],
}


READING = "bytes per second"  # Bytes per second read by all threads, for as many bytes as a contender reads per token.


def key(case, contender):
    return f"{case}: {contender}"


def contender_of(sample_key):
    return sample_key.split(": ", 1)[1]


def verdict(ratio, target, floor, absent=()):
    """`absent`: peers that were not measured. Without them a target cannot be reached, but it can be missed."""
    if ratio is None:
        return "not measured"
    if absent:
        return ("MISSED, " if ratio < floor else "") + "without " + ", ".join(absent)
    return "target" if ratio >= target else "floor" if ratio >= floor else "MISSED"


COMPARISON_HEAD = ["what", "ours", "tokens/s", "peer", "tokens/s", "ratio", "target", "floor", "reached"]


def comparison_rows(shape, samples):
    """Returns the rows. The ratio is that of the medians of the best contender on each side."""
    rows = []
    for c in COMPARISONS[shape]:
        ours = samples.best([key(c.case, name) for name in c.ours])
        peer = samples.best([key(c.case, name) for name in c.peers])
        both = ours is not None and peer is not None
        absent = [name for name in c.peers if key(c.case, name) not in samples.values]
        ratio = samples.median(ours) / samples.median(peer) if both else None
        rows.append([c.what,
                     contender_of(ours) if ours else None, samples.median(ours) if ours else None,
                     contender_of(peer) if peer else None, samples.median(peer) if peer else None,
                     ratio, c.target, c.floor, verdict(ratio, c.target, c.floor, absent)])
    return rows


def limit(case, contender, bandwidth, peaks):
    """Returns the upper limit of tokens per second on this machine, or None if unknown.

    A decoding step reads all weights of a token once, for all streams, and each weight takes one multiplication and
    one addition. `peaks`: operations per second by unit.
    """
    kind, number = CASES[case]
    peak = peaks.get(contender.unit)
    bounds = []
    if peak is not None:
        bounds.append(peak / (2 * contender.weights[kind]))
    if kind == "decode":
        bounds.append(number * bandwidth / contender.bytes)
    return min(bounds, default=None)


LIMIT_HEAD = ["case", "who", "tokens/s", "lowest", "highest", "limit", "of the limit, %"]


def limit_rows(contenders, samples, bandwidths, peaks):
    """Returns the rows of the limits. `bandwidths`: bytes per second by contender."""
    rows = []
    for case in CASES:
        for contender in contenders:
            name = key(case, contender.name)
            if name not in samples.values:
                continue
            most = limit(case, contender, bandwidths[contender.name], peaks)
            median = samples.median(name)
            rows.append([case, contender.name, median, *samples.spread(name), most,
                         100 * median / most if most else None])
    return rows

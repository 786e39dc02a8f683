"""Memory of processes and of a model's weights, in bytes."""

import json
import os

# Bits per weight in each format, including scales and minima (f16, groups of 32); see kernels/packed_matrix.h. For
# llama.cpp: Q8_0 8.5, Q4_0 4.5.
FORMAT_BITS = {"float32": 32, "bf16": 16, "int8": 8.5, "int4": 5}
HEAD_BITS = {**FORMAT_BITS, "int4": FORMAT_BITS["int8"]}  # The head of an int4 model is int8.


def read_config(model):
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        return json.load(file)


def head_size(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def weights_per_token(config):
    """Returns the weights used per decoded token, and per prompt token (without the head)."""
    hidden, heads, kv = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head = head_size(config)
    attention = 2 * hidden * heads * head + 2 * hidden * kv * head
    layers = config["num_hidden_layers"]
    dense = len(config["mlp_only_layers"])
    total = layers * attention + 3 * hidden * (
        dense * config["intermediate_size"] + (layers - dense) * (
            config["num_experts_per_tok"] * config["moe_intermediate_size"]))
    total += (layers - dense) * config["num_experts"] * hidden
    return {"decode": total + hidden * config["vocab_size"], "prefill": total}


def bytes_per_token(weights, kind):
    """Returns the bytes of our weights in a format read to decode a token; `weights` is from weights_per_token()."""
    head = weights["decode"] - weights["prefill"]
    return (weights["prefill"] * FORMAT_BITS[kind] + head * HEAD_BITS[kind]) / 8


def dense_weights_per_token(config):
    """Returns the same for the dense base of the sparse model, which the peers run."""
    dense = {**config, "num_experts": 0, "num_experts_per_tok": 1, "moe_intermediate_size": config["intermediate_size"]}
    return weights_per_token(dense)


def of_processes(pids):
    """Returns sums over processes: rss counts shared memory once per process, pss once; peak is of rss."""
    total = {"rss": 0, "pss": 0, "peak": 0}
    for pid in pids:
        total["rss"] += _field(f"/proc/{pid}/status", "VmRSS")
        total["peak"] += _field(f"/proc/{pid}/status", "VmHWM")
        total["pss"] += _field(f"/proc/{pid}/smaps_rollup", "Pss")
    return total


def with_descendants(pids):
    """Returns the processes and their running descendants."""
    found = []
    for pid in pids:
        children = []
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                    children += map(int, file.read().split())
        except FileNotFoundError:
            pass
        found += [pid, *with_descendants(children)]
    return found


def _field(path, name):
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024  # "kB" are KiB here.
    raise ValueError(f"{path} has no {name}")

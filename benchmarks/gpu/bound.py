"""The least time of a decoding step and of a prompt: the larger of bytes over bandwidth and operations over rate."""

from harness import memory

BYTES = 2  # bf16: weights, keys and values.


def _kv_size(config):
    return memory.head_size(config) * config["num_key_value_heads"]


def _q_size(config):
    return memory.head_size(config) * config["num_attention_heads"]


def distinct_experts(config, rows):
    """Returns how many experts of a layer a batch uses on average, if each token chooses any of them."""
    experts, per_token = config["num_experts"], config["num_experts_per_tok"]
    return experts * (1 - (1 - per_token / experts) ** rows)


def weights_used(config, rows):
    """Returns the weights that a batch of rows reads once, without the head."""
    one = memory.weights_per_token(config)["prefill"]
    sparse = config["num_hidden_layers"] - len(config["mlp_only_layers"])
    expert = 3 * config["hidden_size"] * config["moe_intermediate_size"]
    return one + sparse * expert * (distinct_experts(config, rows) - config["num_experts_per_tok"])


def decode_step(config, streams, context):
    """Returns bytes and operations of one step of decoding with `context` tokens in each stream's cache."""
    per_token = memory.weights_per_token(config)
    head = per_token["decode"] - per_token["prefill"]
    kv = streams * context * config["num_hidden_layers"] * 2 * _kv_size(config)
    attention = 4 * streams * context * _q_size(config) * config["num_hidden_layers"]
    return BYTES * (weights_used(config, streams) + head + kv), 2 * streams * per_token["decode"] + attention


def prompt(config, tokens):
    """Returns bytes and operations of a prompt in one step; the head is for its last token only."""
    per_token = memory.weights_per_token(config)
    head = per_token["decode"] - per_token["prefill"]
    kv = tokens * config["num_hidden_layers"] * 2 * _kv_size(config)
    attention = 4 * _q_size(config) * config["num_hidden_layers"] * tokens * (tokens + 1) / 2
    return (BYTES * (weights_used(config, tokens) + head + kv),
            2 * tokens * per_token["prefill"] + 2 * head + attention)


def seconds(work, copy_gb_per_s, tflops):
    bytes_moved, operations = work
    return max(bytes_moved / (copy_gb_per_s * 1e9), operations / (tflops * 1e12))

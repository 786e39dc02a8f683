#!/usr/bin/env python3
"""Creates a dense Qwen2 model of the published 0.5B shape with random weights, as a Hugging Face directory.

    make_05b.py --tokenizer TOKENIZER.json DIR

Speed does not depend on the values of the weights. They are bf16, normally distributed with a standard deviation of
0.02; norms are 1, biases 0. Every run gives the same model. tools/upcycle makes the sparse model from it, with 7
experts in the last 2 layers like the published one. Needs ml_dtypes, numpy and safetensors.
"""

import argparse
import json
import os
import shutil

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

# From Apollo-MoE-0.5B's config.json, without the sparse part.
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "torch_dtype": "bfloat16",
}


def shapes(config):
    """Yields the name and shape of each tensor."""
    hidden, width = config["hidden_size"], config["intermediate_size"]
    kv = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name, outputs in (("q", hidden), ("k", kv), ("v", kv)):
            yield f"{prefix}self_attn.{name}_proj.weight", (outputs, hidden)
            yield f"{prefix}self_attn.{name}_proj.bias", (outputs,)
        yield prefix + "self_attn.o_proj.weight", (hidden, hidden)
        yield prefix + "mlp.gate_proj.weight", (width, hidden)
        yield prefix + "mlp.up_proj.weight", (width, hidden)
        yield prefix + "mlp.down_proj.weight", (hidden, width)
        yield prefix + "input_layernorm.weight", (hidden,)
        yield prefix + "post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)


def make(random, name, shape):
    if name.endswith("norm.weight"):
        values = np.ones(shape, np.float32)
    elif name.endswith(".bias"):
        values = np.zeros(shape, np.float32)
    else:
        values = random.standard_normal(shape, np.float32) * np.float32(0.02)
    return values.astype(ml_dtypes.bfloat16)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True, help="Qwen's tokenizer, from benchmarks/tokenizer/prepare.py")
    parser.add_argument("directory")
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    random = np.random.default_rng(1)
    save_file({name: make(random, name, shape) for name, shape in shapes(CONFIG)},
              os.path.join(args.directory, "model.safetensors"), {"format": "pt"})
    with open(os.path.join(args.directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(CONFIG, file, indent=2)
    shutil.copyfile(args.tokenizer, os.path.join(args.directory, "tokenizer.json"))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes rope_frequencies.json: the frequencies that Hugging Face transformers computes on a CPU.

Needs torch and transformers 5 (benchmarks/transformers/setup.sh installs them).
"""

import json
import pathlib

import torch
import transformers
from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeRotaryEmbedding

HEADS = 2
LLAMA3 = {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}

# Description, size of heads, base, max_position_embeddings, rope_scaling.
CASES = [
    ("linear", 64, 1e4, 4096, {"rope_type": "linear", "factor": 4.0}),
    ("linear, a head size that is no power of 2", 24, 1e4, 4096, {"type": "linear", "factor": 2.5}),
    ("yarn, as in Qwen2.5", 128, 1e6, 32768,
     {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}),
    ("yarn with mscale, as in DeepSeek-V2", 64, 1e4, 163840,
     {"type": "yarn", "factor": 40, **BETAS, "mscale": 1.0, "mscale_all_dim": 0.707,
      "original_max_position_embeddings": 4096}),
    ("yarn without rounding of the limits", 64, 150000.0, 131072,
     {"rope_type": "yarn", "factor": 32.0, **BETAS, "truncate": False, "original_max_position_embeddings": 4096}),
    ("yarn with an attention factor, without an original context", 96, 1e5, 8192,
     {"rope_type": "yarn", "factor": 3.0, "attention_factor": 1.25, "beta_fast": 16.0, "beta_slow": 2.0}),
    ("yarn without a factor", 64, 5e5, 8192,
     {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 2048}),
    ("yarn whose limits lie before the head", 32, 1e6, 512,
     {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 4}),
    ("yarn whose limits lie beyond the head", 32, 1.5, 512,
     {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 50000}),
    ("yarn with equal limits", 32, 1e4, 512,
     {"rope_type": "yarn", "factor": 8.0, "beta_fast": 1.0, "beta_slow": 1.0, "truncate": False,
      "original_max_position_embeddings": 500}),
    ("llama3, as in Llama 3.1", 128, 5e5, 131072, {**LLAMA3, "factor": 8.0}),
    ("llama3, as in Llama 3.2", 64, 5e5, 131072, {**LLAMA3, "factor": 32.0}),
    ("llama3, a head size that is no power of 2", 80, 1e4, 8192,
     {"rope_type": "llama3", "factor": 3.0, "low_freq_factor": 1.5, "high_freq_factor": 7.0,
      "original_max_position_embeddings": 1000}),
    ("llama3 without an original context", 64, 5e5, 8192,
     {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}),
]


def frequencies(what, head_size, theta, positions, scaling):
    config = transformers.Qwen2MoeConfig(
        hidden_size=head_size * HEADS, num_attention_heads=HEADS, num_key_value_heads=HEADS, num_hidden_layers=1,
        max_position_embeddings=positions, rope_theta=theta, rope_scaling=dict(scaling))
    rope = Qwen2MoeRotaryEmbedding(config)
    return {"what": what, "head_size": head_size, "theta": theta, "max_position_embeddings": positions,
            "rope_scaling": scaling, "attention_scaling": float(rope.attention_scaling),
            "inv_freq": [float(f"{x:.9g}") for x in rope.inv_freq.tolist()]}


def main():
    lines = ",\n".join(json.dumps(frequencies(*case)) for case in CASES)
    versions = f'"transformers": "{transformers.__version__}", "torch": "{torch.__version__.split("+")[0]}"'
    path = pathlib.Path(__file__).with_name("rope_frequencies.json")
    path.write_text("{" + versions + ', "cases": [\n' + lines + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

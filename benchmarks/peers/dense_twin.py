#!/usr/bin/env python3
"""Recovers the dense base of an upcycled sparse model, as a Hugging Face directory for vLLM.

    dense_twin.py MODEL DIR

Each sparse layer gets the MLP of its expert 0: directly after upcycling, all experts equal that MLP. Needs ml_dtypes,
numpy and safetensors.
"""

import argparse
import json
import os
import shutil

import ml_dtypes
import numpy as np
from safetensors import deserialize
from safetensors.numpy import save_file

DROPPED_KEYS = ("mlp_only_layers", "moe_intermediate_size", "num_experts", "num_experts_per_tok", "norm_topk_prob",
                "decoder_sparse_step", "share_flag", "language_gate", "prompt_format")


def dense_config(config):
    dense = {key: value for key, value in config.items() if key not in DROPPED_KEYS}
    # Biases of q, k and v distinguish the two families.
    if config.get("attention_bias", True):
        dense.update(architectures=["Qwen2ForCausalLM"], model_type="qwen2")
    else:
        dense.update(architectures=["LlamaForCausalLM"], model_type="llama")
    return dense


def dense_name(name):
    """Returns the name of the tensor in the dense model, or None."""
    if ".mlp.gate.weight" in name or ".shared_expert" in name:
        return None
    if ".mlp.experts." in name:
        return name.replace(".mlp.experts.0.", ".mlp.") if ".mlp.experts.0." in name else None
    return name


DTYPES = {"F32": np.float32, "BF16": ml_dtypes.bfloat16, "F16": np.float16}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("directory")
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    with open(os.path.join(args.model, "model.safetensors"), "rb") as file:
        tensors = deserialize(file.read())
    kept = {}
    for name, tensor in tensors:
        if dense_name(name):
            kept[dense_name(name)] = np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    save_file(kept, os.path.join(args.directory, "model.safetensors"), {"format": "pt"})
    with open(os.path.join(args.model, "config.json"), encoding="utf-8") as file:
        config = dense_config(json.load(file))
    with open(os.path.join(args.directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    shutil.copyfile(os.path.join(args.model, "tokenizer.json"), os.path.join(args.directory, "tokenizer.json"))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes a Qwen2 Hugging Face directory in bf16 as a GGUF file for llama.cpp.

    qwen2_gguf.py DIR FILE.gguf

Needs gguf, numpy and safetensors. (llama.cpp's own converter does the same, but needs PyTorch.)
"""

import argparse
import json
import os

import gguf
import numpy as np
from safetensors import deserialize


def add_sizes(writer, config):
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)


def add_tokenizer(writer, path, config):
    with open(path, encoding="utf-8") as file:
        tokenizer = json.load(file)
    control = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    tokens = {**{number: token for token, number in tokenizer["model"]["vocab"].items()}, **control}
    texts, types = [], []
    for number in range(config["vocab_size"]):
        texts.append(tokens.get(number, f"[PAD{number}]"))
        types.append(gguf.TokenType.CONTROL if number in control
                     else gguf.TokenType.NORMAL if number in tokens else gguf.TokenType.UNUSED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(texts)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge)
                             for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])


def add_tensors(writer, path, config):
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    with open(path, "rb") as file:
        tensors = deserialize(file.read())
    for name, tensor in tensors:
        if tensor["dtype"] != "BF16":
            raise SystemExit(f"{path}: {name} is {tensor['dtype']}, not BF16")
        numbers = np.frombuffer(tensor["data"], np.uint16).reshape(tensor["shape"])
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if numbers.ndim == 1:  # Norms and biases must be float32.
            writer.add_tensor(target, (numbers.astype(np.uint32) << 16).view(np.float32))
        else:
            writer.add_tensor(target, numbers.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("file")
    args = parser.parse_args()
    with open(os.path.join(args.directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(args.file, "qwen2")
    add_sizes(writer, config)
    add_tokenizer(writer, os.path.join(args.directory, "tokenizer.json"), config)
    add_tensors(writer, os.path.join(args.directory, "model.safetensors"), config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()

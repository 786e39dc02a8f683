#!/usr/bin/env python3
"""Writes corpus/: valid and invalid config.json files, derived from the published one."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
BASE = json.loads((HERE / "../../golden/published/config.json").read_text())

CHANGED = {
    "published": {},
    "all_sparse": {"mlp_only_layers": []},
    "all_dense": {"mlp_only_layers": [0, 1, 2, 3]},
    "gap": {"mlp_only_layers": [0, 2]},
    "layer_twice": {"mlp_only_layers": [0, 0]},
    "huge_layer": {"mlp_only_layers": [2**64 - 1]},
    "negative_layer": {"mlp_only_layers": [-1]},
    "zero_heads": {"num_attention_heads": 0},
    "odd_heads": {"num_attention_heads": 3},
    "kv_no_divisor": {"num_key_value_heads": 3},
    "odd_head_size": {"hidden_size": 36, "num_attention_heads": 4},
    "huge_hidden": {"hidden_size": 2**63},
    "float_layers": {"num_hidden_layers": 4.0},
    "top_k_too_large": {"num_experts_per_tok": 8},
    "eos_list": {"eos_token_id": [1, 2]},
    "eos_too_large": {"eos_token_id": 260},
    "eos_null": {"eos_token_id": None},
    "tiny_eps": {"rms_norm_eps": 1e-60},
    "huge_eps": {"rms_norm_eps": 1e300},
    "zero_theta": {"rope_theta": 0},
    "llama": {"architectures": ["LlamaForCausalLM"]},
    "null_vocab": {"vocab_size": None},
    "chatml": {"prompt_format": "chatml"},
    "scaling": {"rope_scaling": {"type": "yarn"}},
    "linear": {"rope_scaling": {"type": "linear", "factor": 4}},
    "yarn": {"rope_parameters": {"rope_type": "yarn", "factor": 40.0, "mscale": 1, "mscale_all_dim": 0.7,
                                 "beta_fast": 32, "beta_slow": 1, "truncate": False,
                                 "original_max_position_embeddings": 64}},
    "yarn_null_factor": {"rope_scaling": {"type": "yarn", "factor": None}, "original_max_position_embeddings": 64},
    "llama3": {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}},
    "rope_parameters": {"rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
    "two_bases": {"rope_scaling": {"rope_theta": 1e5}, "rope_parameters": {"rope_theta": 1e4}},
    "layer_types": {"layer_types": ["full_attention", 1]},
    "unknown_keys": {"\x00\u00e9": [], "rope_parameters": {"x": {"y": 1}}},
    "model_type_only": {"architectures": None, "qkv_bias": True},
    "eos_empty": {"eos_token_id": []},
    "own_head_size": {"head_dim": 20, "use_qk_norm": True},
    "odd_head_dim": {"head_dim": 7},
    "huge_head_dim": {"head_dim": 2**63},
    "two_norms": {"use_qk_norm": True, "qk_norm": False},
}
RAW = {
    "overflow_theta": json.dumps(BASE).replace("1000000.0", "1e999").encode(),
    "array": b"[]",
    "empty": b"",
    "deep": b"[" * 500,
    "not_utf8": b'{"architectures": ["\xff"]}',
}

# Models without experts, and one that has keys of experts nevertheless.
for kind in ("qwen2", "qwen3", "llama"):
    RAW["dense_" + kind] = (HERE / f"../../golden/dense_{kind}/config.json").read_bytes()
RAW["dense_with_experts"] = json.dumps({**json.loads(RAW["dense_qwen3"]), "num_experts": 7}).encode()
RAW["dense_defaults"] = json.dumps(
    {key: value for key, value in json.loads(RAW["dense_qwen3"]).items() if key not in ("head_dim", "rope_theta")}).encode()

for name, change in CHANGED.items():
    RAW[name] = json.dumps({**BASE, **change}).encode()
for name, data in RAW.items():
    (HERE / "corpus" / name).write_bytes(data)

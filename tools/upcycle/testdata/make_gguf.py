#!/usr/bin/env python3
"""Writes the GGUF files of gguf_files_test.cc with the Python package gguf (0.19).

    python3 -m venv VENV && VENV/bin/pip install gguf==0.19.0
    VENV/bin/python tools/upcycle/testdata/make_gguf.py
"""

import pathlib

import gguf
import numpy as np
from gguf.constants import GGMLQuantizationType, GGUFEndian

HERE = pathlib.Path(__file__).parent
HIDDEN, MLP = 32, 64
# Without all printable ASCII characters no tokenizer loads; that of space is the last.
TOKENS = ["<s>", "<e>", "a", "b", "ab"]
TOKENS += [chr(c) for c in range(ord("!"), ord("~") + 1) if chr(c) not in "ab"] + ["\u0120"]


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def every_type(path, endianess=GGUFEndian.LITTLE):
    """All types of values, and tensors of 1 to 4 dimensions, aligned to 64."""
    writer = gguf.GGUFWriter(path, "llama", endianess=endianess)
    writer.add_custom_alignment(64)
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -128)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -32768)
    writer.add_uint32("u32", 2**32 - 1)
    writer.add_int32("i32", -(2**31))
    writer.add_float32("f32", 1e-5)
    writer.add_bool("yes", True)
    writer.add_string("text", "naïve 漢字")
    writer.add_uint64("u64", 2**64 - 1)
    writer.add_int64("i64", -(2**63))
    writer.add_float64("f64", 1e-300)
    writer.add_array("strings", ["a", "", "bc" * 300])
    writer.add_array("ints", [1, -2, 3])
    writer.add_array("floats", [0.5, 2.0])
    writer.add_array("bools", [True, False])
    writer.add_array("nested", [[1, 2], [3]])
    for dimensions in range(1, 5):
        shape = (2, 3, 1, 4)[-dimensions:]
        count = int(np.prod(shape))
        values = np.arange(count, dtype=np.float32).reshape(shape) + dimensions
        writer.add_tensor(f"t{dimensions}", values)
    writer.add_tensor("half", np.array([0.5, -2], np.float16))
    finish(writer)


def model(path, **options):
    """A complete model of one layer with weights in Q8_0 and norms in F32."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "qwen2", **options)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(1)
    writer.add_eot_token_id(0)

    def matrix(name, rows, columns):
        values = random.standard_normal((rows, columns)).astype(np.float32)
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def vector(name, size):
        writer.add_tensor(name, random.standard_normal(size).astype(np.float32))

    matrix("token_embd.weight", len(TOKENS), HIDDEN)
    vector("output_norm.weight", HIDDEN)
    vector("blk.0.attn_norm.weight", HIDDEN)
    vector("blk.0.ffn_norm.weight", HIDDEN)
    for letter, rows in (("q", HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2)):
        matrix(f"blk.0.attn_{letter}.weight", rows, HIDDEN)
        vector(f"blk.0.attn_{letter}.bias", rows)
    matrix("blk.0.attn_output.weight", HIDDEN, HIDDEN)
    matrix("blk.0.ffn_gate.weight", MLP, HIDDEN)
    matrix("blk.0.ffn_up.weight", MLP, HIDDEN)
    matrix("blk.0.ffn_down.weight", HIDDEN, MLP)
    matrix("output.weight", len(TOKENS), HIDDEN)
    finish(writer)


every_type(HERE / "every_type.gguf")
every_type(HERE / "big_endian.gguf", GGUFEndian.BIG)
model(HERE / "whole.gguf")
model(HERE / "parts.gguf", split_max_tensors=6)

"""The tiny checkpoints of the golden tests: shapes and random weights."""

import dataclasses
import json
import os

import numpy as np
import safetensors
import tokenizers

END_TOKEN = 256
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]  # ids 256, 257, 258
VOCAB = 260  # one more row than the tokenizer has tokens, as in the published checkpoints

# The pre-tokenizer of Qwen2. Without merges it cannot change the ids. The files
# contain it so that loaders meet the content of the published tokenizer.json.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    what: str
    seed: int
    stored: str  # "bfloat16", "float16" or "float32"
    hidden: int
    heads: int
    kv_heads: int
    layers: int
    sparse: int  # number of trailing sparse layers
    intermediate: int
    moe_intermediate: int
    experts: int
    top_k: int
    norm_topk_prob: bool = False
    share_flag: bool = False
    attention_bias: bool = True
    tied: bool = True
    model_type: str = "upcycling-qwen2-moe"  # Others are dense: no experts.
    qk_norm: bool = False
    head_dim: int = 0  # 0: hidden / heads
    shards: int = 1
    qwen_tokenizer: bool = True  # False: like GPT-2 / Llama, without NFC
    rope_theta: float = 1e6
    eps: float = 1e-6
    # Between neighbours among the k + 1 largest gate probabilities.
    min_gate_gap: float = 1e-4
    # Between the best and the second best logit of every generated token.
    min_logit_gap: float = 2e-3
    # Also compared with implementations that round operands to bf16: experts
    # are chosen clearly (_make_gates_clear), and all runs have the five best
    # tokens.
    bf16: bool = False
    gain: float = 1.0  # Of all matrices except the embedding and the head.
    # The scaling of rotary positions, and max_position_embeddings.
    rope_scaling: dict | None = None
    positions: int = 512

    @property
    def head_size(self):
        return self.head_dim or self.hidden // self.heads


# Small, in shapes that GPUs accept, with clear choices (see "wide").
_ROPE = dict(
    stored="bfloat16", hidden=64, heads=2, kv_heads=1, layers=2, sparse=1, intermediate=64, moe_intermediate=32,
    experts=2, top_k=1, rope_theta=1e4, min_gate_gap=0.04, min_logit_gap=0.02, bf16=True, gain=0.7)

CASES = [
    Case("published", "the published kind: bf16, tied, q/k/v bias, weights not renormalised",
         seed=11, stored="bfloat16", hidden=32, heads=4, kv_heads=2, layers=4, sparse=2,
         intermediate=40, moe_intermediate=40, experts=7, top_k=2),
    Case("sharded_f32", "two f32 shards, untied head, no q/k/v bias, renormalised weights",
         seed=22, stored="float32", hidden=24, heads=3, kv_heads=1, layers=3, sparse=2,
         intermediate=40, moe_intermediate=28, experts=7, top_k=2, norm_topk_prob=True,
         attention_bias=False, tied=False, shards=2, qwen_tokenizer=False, rope_theta=1e4, eps=1e-5),
    Case("shared_expert_f16", "f16, shared expert, one expert per token, head size 16",
         seed=34, stored="float16", hidden=32, heads=2, kv_heads=1, layers=4, sparse=2,
         intermediate=40, moe_intermediate=40, experts=7, top_k=1, share_flag=True),
    Case("all_sparse", "every layer sparse, hidden size 40, as many kv heads as heads",
         seed=44, stored="bfloat16", hidden=40, heads=5, kv_heads=5, layers=3, sparse=3,
         intermediate=40, moe_intermediate=32, experts=7, top_k=2),
    Case("twelve_experts", "twelve experts, three per token, one sparse layer, f32",
         seed=55, stored="float32", hidden=32, heads=4, kv_heads=2, layers=3, sparse=1,
         intermediate=40, moe_intermediate=24, experts=12, top_k=3, norm_topk_prob=True,
         qwen_tokenizer=False, rope_theta=1e5),
    Case("every_expert", "four experts, all four chosen for every token, shared expert, untied",
         seed=66, stored="bfloat16", hidden=32, heads=4, kv_heads=4, layers=5, sparse=2,
         intermediate=40, moe_intermediate=40, experts=4, top_k=4, share_flag=True, tied=False),
    Case("wide", "shapes that GPUs accept: inputs of products are multiples of 32, heads have 32",
         seed=77, stored="bfloat16", hidden=64, heads=2, kv_heads=1, layers=4, sparse=2,
         intermediate=96, moe_intermediate=64, experts=7, top_k=2, min_gate_gap=0.04, min_logit_gap=0.02,
         bf16=True, gain=0.7),
    Case("rope_linear", "linear scaling of positions, with the old name of the type's key",
         seed=88, rope_scaling={"type": "linear", "factor": 4.0}, **_ROPE),
    Case("rope_yarn", "YaRN, a context of eight times the original one",
         seed=99, positions=64, rope_scaling={"rope_type": "yarn", "factor": 8.0, "beta_fast": 8.0,
                                              "original_max_position_embeddings": 64}, **_ROPE),
    Case("rope_llama3", "the scaling of Llama 3.1",
         seed=110, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                 "high_freq_factor": 4.0, "original_max_position_embeddings": 128}, **_ROPE),
    Case("qwen3_experts", "norms of queries and keys, heads of 20 instead of 8, no q/k/v bias",
         seed=88, stored="bfloat16", hidden=32, heads=4, kv_heads=2, layers=4, sparse=2,
         intermediate=40, moe_intermediate=24, experts=7, top_k=2, norm_topk_prob=True,
         attention_bias=False, qk_norm=True, head_dim=20),
    Case("dense_qwen2", "a Qwen2 model without experts: tied, q/k/v bias",
         seed=99, stored="bfloat16", hidden=32, heads=4, kv_heads=2, layers=3, sparse=0,
         intermediate=40, moe_intermediate=0, experts=0, top_k=0, model_type="qwen2"),
    Case("dense_qwen3", "a Qwen3 model without experts: norms of queries and keys, heads of 16 instead of 8, untied",
         seed=111, stored="float32", hidden=24, heads=3, kv_heads=1, layers=4, sparse=0,
         intermediate=40, moe_intermediate=0, experts=0, top_k=0, model_type="qwen3",
         attention_bias=False, qk_norm=True, head_dim=16, tied=False),
    Case("dense_llama", "a Llama model without experts: f16, two files, GPT-2 tokenizer",
         seed=124, stored="float16", hidden=32, heads=2, kv_heads=1, layers=4, sparse=0,
         intermediate=56, moe_intermediate=0, experts=0, top_k=0, model_type="llama",
         attention_bias=False, tied=False, shards=2, qwen_tokenizer=False, rope_theta=1e4, eps=1e-5),
    Case("dense_one_layer", "a Llama model of one layer, none of which is before the boundary, with q/k/v/o bias",
         seed=133, stored="bfloat16", hidden=32, heads=4, kv_heads=4, layers=1, sparse=0,
         intermediate=64, moe_intermediate=0, experts=0, top_k=0, model_type="llama", tied=False),
]

# The architecture of each type of model without experts.
_DENSE = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}

_LANGUAGES = (
    "zh ko ja ne th vi lo mg ceb su ilo doi en de pt es fr ru hi it hr gl cs co la lb uk bs bg eo"
    " mai sr sq sk da sa no gn gd ar ckb mt he ln bm sw nso ig rw ha"
).split()


def config_json(case):
    c = case
    if c.model_type in _DENSE:
        return _dense_config_json(c)
    config = {
        "architectures": ["UpcyclingQwen2MoeForCausalLM"],
        "model_type": "upcycling-qwen2-moe",
        "attention_bias": c.attention_bias,
        "attention_dropout": 0.0,
        "bos_token_id": END_TOKEN,
        "eos_token_id": END_TOKEN,
        "hidden_act": "silu",
        "hidden_size": c.hidden,
        "initializer_range": 0.02,
        "intermediate_size": c.intermediate,
        "language_gate": True,
        "max_position_embeddings": c.positions,
        "mlp_only_layers": list(range(c.layers - c.sparse)),
        "moe_intermediate_size": c.moe_intermediate,
        "norm_topk_prob": c.norm_topk_prob,
        "num_attention_heads": c.heads,
        "num_experts": c.experts,
        "num_experts_per_tok": c.top_k,
        "num_hidden_layers": c.layers,
        "num_key_value_heads": c.kv_heads,
        "rms_norm_eps": c.eps,
        "rope_theta": c.rope_theta,
        "share_flag": c.share_flag,
        "tie_word_embeddings": c.tied,
        "torch_dtype": c.stored,
        "use_sliding_window": False,
        "vocab_size": VOCAB,
    }
    if c.rope_scaling:
        config["rope_scaling"] = c.rope_scaling
    if c.qk_norm:
        config["use_qk_norm"] = True
    if c.head_dim:
        config["head_dim"] = c.head_dim
    return config


def _dense_config_json(case):
    """Returns what Hugging Face transformers writes for such a model."""
    c = case
    config = {
        "architectures": [_DENSE[c.model_type]],
        "model_type": c.model_type,
        "attention_dropout": 0.0,
        "bos_token_id": END_TOKEN,
        "eos_token_id": END_TOKEN,
        "hidden_act": "silu",
        "hidden_size": c.hidden,
        "initializer_range": 0.02,
        "intermediate_size": c.intermediate,
        "max_position_embeddings": 512,
        "num_attention_heads": c.heads,
        "num_hidden_layers": c.layers,
        "num_key_value_heads": c.kv_heads,
        "rms_norm_eps": c.eps,
        "rope_scaling": None,
        "rope_theta": c.rope_theta,
        "tie_word_embeddings": c.tied,
        "torch_dtype": c.stored,
        "use_cache": True,
        "vocab_size": VOCAB,
    }
    if c.model_type == "llama":
        config |= {"attention_bias": c.attention_bias, "mlp_bias": False, "pretraining_tp": 1}
    else:
        config |= {"max_window_layers": c.layers, "sliding_window": None, "use_sliding_window": False}
    if c.model_type == "qwen3":
        config |= {"attention_bias": c.attention_bias, "head_dim": c.head_dim}
    return config


def random_weights(case):
    """Returns float32 weights, scaled so that every part of the model has an effect.

    The layers dominate the residual stream, not the embedding. Attention scores and gate logits
    spread over a few units. The signs of the final norm are random: with a tied head and positive
    signs, a random model mostly repeats the last token.
    """
    c = case
    # NumPy guarantees that the stream of RandomState never changes.
    random = np.random.RandomState(c.seed)
    tensors = {}

    def normal(name, shape, std):
        tensors[name] = (random.standard_normal(shape) * std).astype(np.float32)

    def linear(name, rows, columns, gain):
        normal(name + ".weight", (rows, columns), c.gain * gain / np.sqrt(columns))

    def norm(name, size=c.hidden):
        tensors[name + ".weight"] = (1 + 0.2 * random.standard_normal(size)).astype(np.float32)

    def mlp(name, width):
        linear(name + ".gate_proj", width, c.hidden, 1.5)
        linear(name + ".up_proj", width, c.hidden, 1.5)
        linear(name + ".down_proj", c.hidden, width, 1.5)

    head_size = c.head_size
    normal("model.embed_tokens.weight", (VOCAB, c.hidden), 0.6)
    for i in range(c.layers):
        layer = f"model.layers.{i}"
        norm(layer + ".input_layernorm")
        for part, heads, gain in (("q", c.heads, 1.4), ("k", c.kv_heads, 1.4), ("v", c.kv_heads, 1.4)):
            linear(f"{layer}.self_attn.{part}_proj", heads * head_size, c.hidden, gain)
            if c.attention_bias:
                normal(f"{layer}.self_attn.{part}_proj.bias", heads * head_size, 0.4)
        if c.qk_norm:
            norm(layer + ".self_attn.q_norm", head_size)
            norm(layer + ".self_attn.k_norm", head_size)
        linear(layer + ".self_attn.o_proj", c.hidden, c.heads * head_size, 1.4)
        if c.attention_bias and c.model_type in ("llama", "qwen3"):
            normal(layer + ".self_attn.o_proj.bias", c.hidden, 0.4)
        norm(layer + ".post_attention_layernorm")
        if i < c.layers - c.sparse:
            mlp(layer + ".mlp", c.intermediate)
            continue
        linear(layer + ".mlp.gate", c.experts, c.hidden, 1.6)
        for e in range(c.experts):
            # The experts of a token share a total weight near one, so each is
            # scaled up.
            mlp(f"{layer}.mlp.experts.{e}", c.moe_intermediate)
            tensors[f"{layer}.mlp.experts.{e}.down_proj.weight"] *= np.float32(1.5)
        if c.share_flag:
            mlp(layer + ".mlp.shared_expert", c.moe_intermediate)
            linear(layer + ".mlp.shared_expert_gate", 1, c.hidden, 1.0)
    norm("model.norm")
    tensors["model.norm.weight"] *= random.choice(np.float32([-1, 1]), c.hidden)
    if not c.tied:
        normal("lm_head.weight", (VOCAB, c.hidden), 0.6)
    if c.bf16:
        _make_gates_clear(c, tensors, random)
    # Ids beyond the tokenizer have no text: scaled down so that they are never
    # generated.
    tensors["model.embed_tokens.weight" if c.tied else "lm_head.weight"][END_TOKEN + 3 :] *= np.float32(0.2)
    return tensors


def _make_gates_clear(case, tensors, random):
    """Lets the token alone choose its experts, by a margin that rounding to bf16 cannot bridge.

    The embedding has one number for each expert, in steps of 0.4, in dimensions that no layer changes. Gates read
    little else.
    """
    c, own = case, slice(0, case.experts)
    steps = (np.arange(c.experts) - c.experts // 2) * 0.4
    for row in tensors["model.embed_tokens.weight"]:
        row[own] = random.permutation(steps)
    tensors["model.embed_tokens.weight"][END_TOKEN] *= np.float32(1.35)  # So that some answer ends.
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor[own] = 0
    for layer in range(c.layers - c.sparse, c.layers):
        tensors[f"model.layers.{layer}.post_attention_layernorm.weight"][own] = 1
        gate = tensors[f"model.layers.{layer}.mlp.gate.weight"]
        gate *= np.float32(0.1)
        for e in range(c.experts):
            gate[e, (e + layer) % c.experts] = 8


def _to_stored(array, stored):
    if stored == "bfloat16":  # round to nearest, ties to even; the weights are finite
        bits = array.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return array.astype({"float16": "<f2", "float32": "<f4"}[stored])


def _write_safetensors(path, tensors, stored):
    arrays = {name: np.ascontiguousarray(_to_stored(a, stored)) for name, a in tensors.items()}
    specs = {
        name: safetensors.TensorSpec(
            dtype=stored, shape=list(a.shape), data_ptr=a.ctypes.data, data_len=a.nbytes)
        for name, a in arrays.items()
    }
    with open(path, "wb") as f:
        f.write(bytes(safetensors.serialize(specs, metadata={"format": "pt"})))
    return sum(a.nbytes for a in arrays.values())


def _write_weights(directory, case):
    tensors = random_weights(case)
    if case.shards == 1:
        _write_safetensors(os.path.join(directory, "model.safetensors"), tensors, case.stored)
        return
    # Split in the middle of the list of tensors, so that one layer is in both
    # files.
    names = list(tensors)
    per_shard = -(-len(names) // case.shards)
    weight_map, total = {}, 0
    for s in range(case.shards):
        file = f"model-{s + 1:05d}-of-{case.shards:05d}.safetensors"
        part = names[s * per_shard : (s + 1) * per_shard]
        total += _write_safetensors(
            os.path.join(directory, file), {n: tensors[n] for n in part}, case.stored)
        weight_map.update({n: file for n in part})
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    _write_json(os.path.join(directory, "model.safetensors.index.json"), index)


def _write_json(path, value):
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        json.dump(value, f, ensure_ascii=False, indent=1)
        f.write("\n")


def byte_characters():
    """Returns GPT-2's characters for the bytes 0..255, in the order of their token ids.

    Printable bytes stand for themselves and come first; the others follow, from U+0100 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(0x100 + i) for i in range(len(others))]


def _write_tokenizer(path, case):
    pre = tokenizers.pre_tokenizers
    vocabulary = {character: i for i, character in enumerate(byte_characters())}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    if case.qwen_tokenizer:
        tokenizer.normalizer = tokenizers.normalizers.NFC()
        tokenizer.pre_tokenizer = pre.Sequence([
            pre.Split(tokenizers.Regex(QWEN2_SPLIT), behavior="isolated"),
            pre.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    else:
        tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.save(path, pretty=True)


def _families(case):
    """Returns a families file that distributes the 50 languages over this case's experts."""
    lines = ["# Families for a test checkpoint that does not have seven experts."]
    for e in range(case.experts):
        start, end = (len(_LANGUAGES) * j // case.experts for j in (e, e + 1))
        lines.append(f"{e} family_{e}: " + " ".join(_LANGUAGES[start:end]))
    return "\n".join(lines) + "\n"


def write_checkpoint(directory, case):
    os.makedirs(directory, exist_ok=True)
    _write_json(os.path.join(directory, "config.json"), config_json(case))
    _write_weights(directory, case)
    _write_tokenizer(os.path.join(directory, "tokenizer.json"), case)
    if case.experts not in (0, 7):
        with open(os.path.join(directory, "families.txt"), "w", encoding="utf-8", newline="\n") as f:
            f.write(_families(case))

"""NumPy reference of the Apollo-MoE forward pass: the oracle of the golden tests.

Written from the description of the model only, and as simple as possible: no batching across
sequences, no fusion, one loop over experts. Shares nothing with the C++ sources.

Precision: weights are read exactly as stored (bf16, f16 or f32), and everything is computed in
float64. float32 implementations add in different orders, so their results scatter around the true
value. float64 is far more precise than that, so the distance of a float32 implementation to it is
the implementation's own rounding error, not the sum of two. Pass dtype=numpy.float32 to measure the
error of plain float32.

Use as a library (Model, Sequence, generate, score) or on any checkpoint directory:

    python3 oracle.py DIR --prompt "What is anaemia?" --max-new-tokens 16 --expert 3 --routing-record
"""

import argparse
import dataclasses
import json
import os
import sys

import numpy as np
import safetensors

_STORED_TYPES = ("BF16", "F16", "F32")


def _widen(stored_type, shape, data):
    """Returns the stored values as a float32 array, which holds each of the three types exactly."""
    if stored_type == "BF16":
        bits = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(shape)
    if stored_type == "F16":
        return np.frombuffer(data, dtype="<f2").astype(np.float32).reshape(shape)
    if stored_type == "F32":
        return np.frombuffer(data, dtype="<f4").reshape(shape)
    raise ValueError(f"stored type {stored_type}: expected one of {_STORED_TYPES}")


def _read_tensors(directory):
    index = os.path.join(directory, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        with open(index, encoding="utf-8") as f:
            files = sorted(set(json.load(f)["weight_map"].values()))
    tensors = {}
    for name in files:
        with open(os.path.join(directory, name), "rb") as f:
            for tensor, view in safetensors.deserialize(f.read()):
                tensors[tensor] = _widen(view["dtype"], view["shape"], view["data"])
    return tensors


@dataclasses.dataclass(frozen=True)
class Config:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    experts: int
    top_k: int
    sparse_layers: tuple  # the layers that have a gate and experts, in order
    normalise_weights: bool  # norm_topk_prob
    shared_expert: bool  # share_flag
    attention_bias: bool
    output_bias: bool  # of o_proj
    qk_norm: bool  # each head of queries and keys is normalised
    head_size: int
    tied: bool
    rope_theta: float
    rope_scaling: dict
    eps: float
    vocab: int
    end_tokens: tuple

    @property
    def boundary(self):
        """The first layer of the expert workers: the first sparse one, or the last one if all are dense."""
        return self.sparse_layers[0] if self.sparse_layers else self.layers - 1

    @staticmethod
    def load(directory):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as f:
            c = json.load(f)
        kind = c["model_type"]
        has_experts = kind == "upcycling-qwen2-moe"
        dense = set(c["mlp_only_layers"] if has_experts else range(c["num_hidden_layers"]))
        end = c["eos_token_id"]
        return Config(
            hidden=c["hidden_size"],
            layers=c["num_hidden_layers"],
            heads=c["num_attention_heads"],
            kv_heads=c["num_key_value_heads"],
            experts=c["num_experts"] if has_experts else 0,
            top_k=c["num_experts_per_tok"] if has_experts else 0,
            sparse_layers=tuple(i for i in range(c["num_hidden_layers"]) if i not in dense),
            normalise_weights=has_experts and c["norm_topk_prob"],
            shared_expert=has_experts and c["share_flag"],
            attention_bias=c.get("attention_bias", kind not in ("qwen3", "llama")),
            output_bias=kind in ("qwen3", "llama") and c.get("attention_bias", False),
            qk_norm=c.get("use_qk_norm", kind == "qwen3"),
            head_size=c.get("head_dim", c["hidden_size"] // c["num_attention_heads"]),
            tied=c["tie_word_embeddings"],
            rope_theta=float(c["rope_theta"]),
            rope_scaling=c.get("rope_scaling") or {},
            eps=float(c["rms_norm_eps"]),
            vocab=c["vocab_size"],
            end_tokens=tuple(end) if isinstance(end, list) else (end,),
        )


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rope_frequencies(config):
    """Returns the frequency of each pair of dimensions, and the factor of cosines and sines.

    Written from the papers: position interpolation (Chen et al., 2023), and YaRN (Peng et al., 2023: section 3.2,
    "NTK-by-parts", and 3.4); and from the description of Llama 3.1. Only the keys of the golden cases are known.
    """
    scaling, size = config.rope_scaling, config.head_size
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    unknown = set(scaling) - {"type", "rope_type", "factor", "original_max_position_embeddings", "beta_fast",
                              "beta_slow", "low_freq_factor", "high_freq_factor"}
    if unknown:
        raise ValueError(f"rope_scaling has the unknown keys {sorted(unknown)}")
    dimension = np.arange(size // 2)
    plain = config.rope_theta ** (-2.0 * dimension / size)
    if kind == "default":
        return plain, 1.0
    divided = plain / scaling["factor"]
    if kind == "linear":
        return divided, 1.0
    context = scaling["original_max_position_embeddings"]
    if kind == "llama3":
        # The number of turns within the original context decides.
        turns = context * plain / (2 * np.pi)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = np.clip((turns - low) / (high - low), 0, 1)
        return divided * (1 - kept) + plain * kept, 1.0
    if kind != "yarn":
        raise ValueError(f"rope_type {kind}: expected default, linear, yarn or llama3")

    def dimension_with(turns):
        return size * np.log(context / (2 * np.pi * turns)) / (2 * np.log(config.rope_theta))

    first = max(np.floor(dimension_with(scaling.get("beta_fast", 32))), 0)
    last = min(np.ceil(dimension_with(scaling.get("beta_slow", 1))), size - 1)
    if not first < last:
        raise ValueError(f"YaRN's ramp is from {first} to {last}")
    interpolated = np.clip((dimension - first) / (last - first), 0, 1)
    return divided * interpolated + plain * (1 - interpolated), 1 + 0.1 * np.log(scaling["factor"])


class Model:
    """A checkpoint. Constant after construction."""

    def __init__(self, directory, dtype=np.float64):
        self.config = Config.load(directory)
        self.dtype = dtype
        self.frequencies, self.rope_factor = rope_frequencies(self.config)
        self.tensors = {k: v.astype(dtype) for k, v in _read_tensors(directory).items()}

    def weight(self, name):
        return self.tensors[name + ".weight"]

    def operand(self, x):
        """Returns x as an operand of a product. A subclass may round it."""
        return x

    def linear(self, name, x, bias=False):
        y = self.operand(x) @ self.weight(name).T
        return y + self.tensors[name + ".bias"] if bias else y

    def rmsnorm(self, name, x):
        mean = np.mean(x * x, axis=-1, keepdims=True)
        return self.weight(name) * (x / np.sqrt(mean + self.dtype(self.config.eps)))

    def mlp(self, name, x):
        gate = self.linear(name + ".gate_proj", x)
        return self.linear(name + ".down_proj", gate * sigmoid(gate) * self.linear(name + ".up_proj", x))

    def route(self, layer, x, family):
        """Returns experts [n, k], weights [n, k] and, per row, the clearness of the choice.

        family is None for TOPK and the language family's expert for HYBRID. The clearness is the
        smallest difference between neighbours among the k + 1 largest probabilities: if it is
        small, another order of additions could change the choice or the order of the experts.
        """
        c = self.config
        p = softmax(self.linear(f"model.layers.{layer}.mlp.gate", x))
        order = np.argsort(-p, axis=-1, kind="stable")
        chosen = order[:, : c.top_k].copy()
        if family is not None:
            absent = ~(chosen == family).any(axis=-1)
            chosen[absent, -1] = family
        weights = np.take_along_axis(p, chosen, axis=-1)
        if c.normalise_weights:
            weights = weights / weights.sum(axis=-1, keepdims=True)
        ranked = np.take_along_axis(p, order, axis=-1)[:, : c.top_k + 1]
        clearness = np.min(ranked[:, :-1] - ranked[:, 1:], axis=-1)
        return chosen, weights, clearness

    def sparse_mlp(self, layer, x, family):
        prefix = f"model.layers.{layer}.mlp"
        chosen, weights, clearness = self.route(layer, x, family)
        y = np.zeros_like(x)
        for expert in range(self.config.experts):
            rows, slots = np.nonzero(chosen == expert)
            if rows.size:
                out = self.mlp(f"{prefix}.experts.{expert}", x[rows])
                y[rows] += weights[rows, slots][:, None] * out
        if self.config.shared_expert:
            strength = sigmoid(self.linear(f"{prefix}.shared_expert_gate", x))
            y = y + strength * self.mlp(f"{prefix}.shared_expert", x)
        return y, (chosen, weights, clearness)


class Sequence:
    """A sequence with its keys and values. Single-threaded."""

    def __init__(self, model, family=None):
        c = model.config
        if family is not None and not 0 <= family < c.experts:
            raise ValueError(f"family expert {family}: expected 0..{c.experts - 1}")
        self.model = model
        self.family = family
        self.length = 0
        empty = np.zeros((0, c.kv_heads, c.head_size), dtype=model.dtype)
        self.keys = [empty] * c.layers
        self.values = [empty] * c.layers
        # One (experts, weights, clearness) triple per sparse layer, with one
        # row per token.
        self.routes = {
            i: (np.zeros((0, c.top_k), int), np.zeros((0, c.top_k)), np.zeros(0)) for i in c.sparse_layers
        }

    def truncate(self, length):
        """Removes every token from position `length` on."""
        self.length = length
        self.keys = [k[:length] for k in self.keys]
        self.values = [v[:length] for v in self.values]
        self.routes = {i: tuple(a[:length] for a in r) for i, r in self.routes.items()}

    def feed(self, ids):
        """Appends tokens (at least one); returns the logits [len(ids), vocab] after each of them."""
        m, c = self.model, self.model.config
        positions = np.arange(self.length, self.length + len(ids))
        x = m.weight("model.embed_tokens")[np.asarray(ids)]
        for i in range(c.layers):
            if i == c.boundary:
                x = m.operand(x)  # The boundary, where rows go from one worker to another.
            name = f"model.layers.{i}"
            x = x + self._attention(i, m.rmsnorm(name + ".input_layernorm", x), positions)
            h = m.rmsnorm(name + ".post_attention_layernorm", x)
            if i in self.routes:
                y, route = m.sparse_mlp(i, h, self.family)
                self.routes[i] = tuple(np.concatenate(pair) for pair in zip(self.routes[i], route))
            else:
                y = m.mlp(name + ".mlp", h)
            x = x + y
        self.length += len(ids)
        return m.linear("model.embed_tokens" if c.tied else "lm_head", m.rmsnorm("model.norm", x))

    def _rotate(self, x, positions):
        m = self.model
        half = m.config.head_size // 2
        angle = positions[:, None] * m.frequencies[None, :]
        cos = (m.rope_factor * np.cos(angle)).astype(m.dtype)[:, None, :]
        sin = (m.rope_factor * np.sin(angle)).astype(m.dtype)[:, None, :]
        x1, x2 = x[..., :half], x[..., half:]
        return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)

    def _attention(self, layer, x, positions):
        m, c = self.model, self.model.config
        name = f"model.layers.{layer}.self_attn"
        n = len(positions)
        q = m.linear(name + ".q_proj", x, c.attention_bias).reshape(n, c.heads, c.head_size)
        k = m.linear(name + ".k_proj", x, c.attention_bias).reshape(n, c.kv_heads, c.head_size)
        v = m.linear(name + ".v_proj", x, c.attention_bias).reshape(n, c.kv_heads, c.head_size)
        if c.qk_norm:
            q, k = m.rmsnorm(name + ".q_norm", q), m.rmsnorm(name + ".k_norm", k)
        q, k = m.operand(self._rotate(q, positions)), m.operand(self._rotate(k, positions))
        v = m.operand(v)
        self.keys[layer] = np.concatenate([self.keys[layer], k])
        self.values[layer] = np.concatenate([self.values[layer], v])
        future = np.arange(len(self.keys[layer]))[None, :] > positions[:, None]
        out = np.zeros((n, c.heads, c.head_size), dtype=m.dtype)
        for head in range(c.heads):
            kv = head // (c.heads // c.kv_heads)
            scores = q[:, head] @ self.keys[layer][:, kv].T / m.dtype(np.sqrt(c.head_size))
            out[:, head] = m.operand(softmax(np.where(future, -np.inf, scores))) @ self.values[layer][:, kv]
        return m.linear(name + ".o_proj", out.reshape(n, c.heads * c.head_size), c.output_bias)

    def routing_record(self, digits=6):
        """Returns, per sparse layer, experts [token][k] and weights [token][k], in order of selection."""
        return [
            {"layer": i, "experts": e.tolist(), "weights": np.round(w.astype(np.float64), digits).tolist()}
            for i, (e, w, _) in self.routes.items()
        ]

    def clearness(self):
        """Returns the smallest clearness of a choice of experts so far (see Model.route)."""
        return min((float(r[2].min()) for r in self.routes.values() if len(r[2])), default=np.inf)


@dataclasses.dataclass
class Generation:
    ids: list  # includes the end token when finish is "stop"
    logprobs: list  # of each of ids
    top: list  # per token: the five best [id, logprob], best first
    finish: str  # "stop": an end token was generated; "length": max_new_tokens
    logit_gap: float  # smallest distance between the best and the second best logit


def generate(sequence, prompt_ids, max_new_tokens):
    """Greedy decoding. The last generated token is not fed, so it has no routing record."""
    result = Generation([], [], [], "length", np.inf)
    logits = sequence.feed(prompt_ids)[-1]
    while True:
        logprobs = log_softmax(logits)
        best = np.argsort(-logits, kind="stable")[:5]
        token = int(best[0])
        result.ids.append(token)
        result.logprobs.append(float(logprobs[token]))
        result.top.append([[int(t), float(logprobs[t])] for t in best])
        result.logit_gap = min(result.logit_gap, float(logits[best[0]] - logits[best[1]]))
        if token in sequence.model.config.end_tokens:
            result.finish = "stop"
            return result
        if len(result.ids) == max_new_tokens:
            return result
        logits = sequence.feed([token])[-1]


def score(sequence, prompt_ids, continuation_ids):
    """Returns log p(token | everything before it) for each token of the continuation."""
    ids = list(prompt_ids) + list(continuation_ids)
    logprobs = log_softmax(sequence.feed(ids[:-1]))
    first = len(prompt_ids) - 1
    return [float(logprobs[first + j, t]) for j, t in enumerate(continuation_ids)]


def main():
    parser = argparse.ArgumentParser(description="Runs the reference on a checkpoint directory.")
    parser.add_argument("directory")
    parser.add_argument("--prompt", help="text, encoded with the tokenizer.json of the directory")
    parser.add_argument("--prompt-ids", help="comma-separated token ids instead of text")
    parser.add_argument("--expert", type=int, help="HYBRID with this family expert; without it TOPK")
    parser.add_argument("--max-new-tokens", type=int, default=16)
    parser.add_argument("--score", help="text: score this continuation instead of generating")
    parser.add_argument("--routing-record", action="store_true")
    parser.add_argument("--float32", action="store_true", help="compute in float32")
    args = parser.parse_args()

    def encode(text):
        import tokenizers

        path = os.path.join(args.directory, "tokenizer.json")
        return tokenizers.Tokenizer.from_file(path).encode(text, add_special_tokens=False).ids

    if (args.prompt is None) == (args.prompt_ids is None):
        parser.error("give one of --prompt and --prompt-ids")
    ids = encode(args.prompt) if args.prompt is not None else [int(i) for i in args.prompt_ids.split(",")]
    sequence = Sequence(Model(args.directory, np.float32 if args.float32 else np.float64), args.expert)
    if args.score is not None:
        continuation = encode(args.score)
        out = {"ids": continuation, "logprobs": score(sequence, ids, continuation)}
    else:
        out = dataclasses.asdict(generate(sequence, ids, args.max_new_tokens))
    if args.routing_record:
        out["routing"] = sequence.routing_record()
    json.dump({"prompt_ids": ids, **out}, sys.stdout)
    print()


if __name__ == "__main__":
    main()

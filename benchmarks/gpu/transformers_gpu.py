#!/usr/bin/env python3
"""Measures the dense model of a published shape in Hugging Face transformers on a GPU: bf16, random weights.

    transformers_gpu.py --shape 7B

Transformers has no Apollo-MoE, so this is its dense base: a sparse layer runs two experts where this has one MLP. A
bare loop around the model, without generate(); greedy; contexts as in run.py. Prints lines of JSON.
"""

import argparse
import json
import statistics
import time

PROMPT, ANSWER, LONG_PROMPT = 192, 128, 4096  # As in run.py.
STREAMS = (1, 64)
ROUNDS = 3
# hidden, inner, layers, heads, kv heads, vocabulary, tied
SHAPES = {"0.5B": (896, 4864, 24, 14, 2, 151936, True), "7B": (3584, 18944, 28, 28, 4, 152064, False)}


def make(shape, torch, transformers):
    hidden, inner, layers, heads, kv, vocabulary, tied = SHAPES[shape]
    config = transformers.Qwen2Config(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv, vocab_size=vocabulary, tie_word_embeddings=tied, max_position_embeddings=8192)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        return transformers.Qwen2ForCausalLM(config).eval()


def timed(torch, action):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    result = action()
    torch.cuda.synchronize()
    return time.perf_counter() - begin, result


def decode_rate(torch, model, streams):
    """Returns generated tokens per second of all streams together, after their prompts."""
    ids = torch.randint(1000, (streams, PROMPT), device="cuda")
    out = model(ids, use_cache=True, logits_to_keep=1)

    def steps():
        last = out
        for _ in range(ANSWER):
            token = last.logits[:, -1:].argmax(dim=-1)
            last = model(token, past_key_values=last.past_key_values, use_cache=True, logits_to_keep=1)
    return streams * ANSWER / timed(torch, steps)[0]


def prefill_rate(torch, model):
    ids = torch.randint(1000, (1, LONG_PROMPT), device="cuda")
    return LONG_PROMPT / timed(torch, lambda: model(ids, use_cache=True, logits_to_keep=1))[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", required=True, choices=sorted(SHAPES))
    args = parser.parse_args()
    import torch
    import transformers

    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
    with torch.inference_mode():
        model = make(args.shape, torch, transformers)
        prefill_rate(torch, model)  # Warms up.
        for streams in STREAMS:
            rate = statistics.median(decode_rate(torch, model, streams) for _ in range(ROUNDS))
            print(json.dumps({f"decode {streams} streams tokens/s": round(rate, 1)}), flush=True)
        rate = statistics.median(prefill_rate(torch, model) for _ in range(ROUNDS))
        print(json.dumps({f"prefill of {LONG_PROMPT} tokens/s": round(rate, 1)}), flush=True)


if __name__ == "__main__":
    main()

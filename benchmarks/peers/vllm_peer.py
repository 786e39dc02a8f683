#!/usr/bin/env python3
"""vLLM's engine for benchmarks/peers. Runs in its own environment and answers each line of JSON with one line.

    vllm_peer.py DIR                       a Hugging Face directory
    > {"streams": 8, "prompt": 128, "new": 64}
    < {"streams": [{"start": 0.0, "prompt_tokens": 128, "tokens": [times]}, ...]}

All requests are passed to the engine at once. The time of a token is that at which its step returns. Prompts are
random token ids, and the prefix cache is off. The first line of output reports that the engine is ready.
"""

import json
import random
import sys
import time


def main():
    import vllm  # pylint: disable=import-error,import-outside-toplevel
    llm = vllm.LLM(model=sys.argv[1], dtype="bfloat16", skip_tokenizer_init=True, max_model_len=4096, max_num_seqs=64,
                   enable_prefix_caching=False, disable_log_stats=True)
    vocabulary = llm.llm_engine.model_config.get_vocab_size()
    serial = 0
    print(json.dumps({"ready": True, "vllm": vllm.__version__}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        sampling = vllm.SamplingParams(temperature=0, max_tokens=job["new"], min_tokens=job["new"], ignore_eos=True,
                                       detokenize=False)
        begin = time.perf_counter()
        streams = {}
        for _ in range(job["streams"]):
            serial += 1
            # Avoids special tokens, which are at either end of the vocabulary.
            ids = [random.randrange(1000, vocabulary - 1000) for _ in range(job["prompt"])]
            streams[str(serial)] = {"start": time.perf_counter() - begin, "prompt_tokens": len(ids), "tokens": []}
            llm.llm_engine.add_request(str(serial), {"prompt_token_ids": ids}, sampling)
        while llm.llm_engine.has_unfinished_requests():
            outputs = llm.llm_engine.step()
            now = time.perf_counter() - begin
            for output in outputs:
                tokens = streams[output.request_id.split("-")[0]]["tokens"]
                tokens += [now] * (len(output.outputs[0].token_ids) - len(tokens))
        print(json.dumps({"streams": list(streams.values())}), flush=True)


if __name__ == "__main__":
    main()

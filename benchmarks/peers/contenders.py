"""The measured programs: this project in each of its formats, and the peers.

Each has a name, decode(streams) and prefill(tokens) in tokens per second, pids() of its persistent processes, and
close(). For the limits of the machine it has `weights` (per token, {"decode", "prefill"}), `bytes` read to decode one
token, and `unit`, whose peak bounds its arithmetic. Decoding starts after prompts of PROMPT tokens, which do not count.
`args` are those of run.py.
"""

import json
import os

from harness import cluster, failure, load, measure, memory, paths, processes

PROMPT = 128  # Tokens of the prompts before decoding.

# Read by PyTorch and its libraries; llama.cpp is built twice instead.
AVX2_ENVIRONMENT = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def environment(args):
    return {"OMP_NUM_THREADS": str(args.threads), "HF_HUB_OFFLINE": "1",
            **(AVX2_ENVIRONMENT if args.cpu == "avx2" else {})}


def dense_weights(args):
    """Returns the config of the peers' model."""
    return memory.dense_weights_per_token(memory.read_config(args.model))


class Ours:
    """This project in one process, through its public API over gRPC."""

    UNITS = {"int8": "int8", "int4": "int8", "bf16": "bf16", "float32": "float32"}

    def __init__(self, args, weights_format):
        self.name = weights_format
        self.binaries, self.new = args.binaries, args.new_tokens
        config = memory.read_config(args.model)
        self.weights = memory.weights_per_token(config)
        # "auto" keeps the format of the checkpoint.
        stored = "bf16" if config.get("torch_dtype") == "bfloat16" else "float32"
        kind = stored if weights_format == "auto" else weights_format
        self.bytes = memory.bytes_per_token(self.weights, kind)
        self.unit = self.UNITS[kind]
        # Room for one round; its prompts are evicted by the next ones.
        self.cluster = cluster.Cluster(args.binaries, args.model, args.threads, 0,
                                       [*worker_flags(args.binaries, weights_format), "--cache_megabytes=512"],
                                       args.cpu_level)
        self.cluster.__enter__()  # pylint: disable=unnecessary-dunder-call

    def decode(self, streams):
        return load.decode_rate(self.binaries, self.cluster.address, streams, self.new, PROMPT)

    def prefill(self, tokens):
        return load.prefill_rate(self.binaries, self.cluster.address, tokens)

    def pids(self):
        return self.cluster.pids()

    def close(self):
        self.cluster.__exit__()


def worker_flags(binaries, weights_format):
    """Returns the flags of a worker that computes in a format and preallocates its cache, as the peers do.

    Binaries without the flag of the format support only "auto", which needs no flag.
    """
    flags = {"weights": f"--weights={weights_format}", "cache_prefault": "--cache_prefault"}
    return [flag for name, flag in flags.items() if cluster.knows_flag(binaries, name)]


class Llama:
    """llama.cpp's own benchmarks on a GGUF file. They load the file each time; that time does not count."""

    def __init__(self, args, kind):
        self.name = f"llama.cpp {kind}"
        build = "llama-avx2" if args.cpu == "avx2" else "llama-native"
        self.programs = os.path.join(args.peers_folder, build, "bin")
        self.file = os.path.join(args.models, kind.lower() + ".gguf")
        self.threads, self.new = str(args.threads), args.new_tokens
        self.weights = dense_weights(args)
        # The embedding is the head, so the whole file is read for each token.
        self.bytes = os.path.getsize(self.file)
        self.unit = "int8"

    def _bench(self, *arguments):
        out = processes.output([os.path.join(self.programs, "llama-bench"), "-m", self.file, "-t", self.threads,
                                "-r", "1", "-o", "json", *arguments])
        return json.loads(out)[0]["avg_ts"]

    def decode(self, streams):
        if streams == 1:
            return self._bench("-p", "0", "-n", str(self.new), "-d", str(PROMPT))
        argv = [os.path.join(self.programs, "llama-batched-bench"), "-m", self.file, "-t", self.threads,
                "-c", str(streams * (PROMPT + self.new)), "-npp", str(PROMPT), "-ntg", str(self.new),
                "-npl", str(streams), "--output-format", "jsonl"]
        # llama.cpp does not flush its log at the end, so this line is occasionally lost.
        for _ in range(5):
            for line in processes.output(argv).splitlines():
                if line.startswith("{"):
                    return json.loads(line)["speed_tg"]
        raise failure.Failure(f"{' '.join(argv)} printed no result, five times")

    def prefill(self, tokens):
        return self._bench("-p", str(tokens), "-n", "0")

    def pids(self):
        return []

    def close(self):
        pass


class Vllm:
    """vLLM for CPUs, in bf16, in a persistent process."""

    def __init__(self, args):
        self.name = "vLLM bf16"
        self.new = args.new_tokens
        self.weights = dense_weights(args)
        self.bytes, self.unit = 2 * self.weights["decode"], "bf16"
        venv = os.path.join(args.peers_folder, "venv-vllm")
        # As its documentation recommends. If the second library is not installed, the loader continues without it.
        preload = f"{venv}/lib/libiomp5.so:libtcmalloc_minimal.so.4"
        self.process = processes.LineProcess(
            [f"{venv}/bin/python", os.path.join(paths.ROOT, "benchmarks/peers/vllm_peer.py"),
             os.path.join(args.models, "hf")],
            {**environment(args), "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1",
             "LD_PRELOAD": preload}, stopped=True)

    def decode(self, streams):
        return measure.decode_rate(self.process.ask(
            json.dumps({"streams": streams, "prompt": PROMPT, "new": self.new}))["streams"])

    def prefill(self, tokens):
        return measure.prefill_rate(self.process.ask(
            json.dumps({"streams": 1, "prompt": tokens, "new": 1}))["streams"][0])

    def pids(self):
        return [self.process.process.pid]

    def close(self):
        self.process.close()


class Transformers:
    """Hugging Face transformers on the demo model's GGUF file, one stream, in a bare loop around the model."""

    def __init__(self, args, kind):
        self.name = f"transformers {kind}"
        self.weights = dense_weights(args)
        self.bytes = self.weights["decode"] * memory.FORMAT_BITS[kind] / 8
        self.unit = kind
        self.process = processes.LineProcess(
            [args.transformers_python, os.path.join(paths.ROOT, "benchmarks/transformers/decode_transformers.py"),
             "--interactive", "--dtype", "bf16" if kind == "bf16" else "f32", "--threads", str(args.threads),
             "--prompt", str(PROMPT), "--decode", str(args.new_tokens)], environment(args), stopped=True)

    def decode(self, streams):
        return self.process.ask("run")["decode_tokens_per_second"] if streams == 1 else None

    def prefill(self, tokens):
        return None

    def pids(self):
        return [self.process.process.pid]

    def close(self):
        self.process.close()

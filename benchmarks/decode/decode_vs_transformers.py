#!/usr/bin/env python3
"""One stream of greedy decoding: this cluster beside Hugging Face transformers.

Both run the demo model's weights in float32 on the same machine in the same run,
turn by turn: this server answers one request, transformers answers one, and so on.
Printed are the medians of tokens per second and their ratio.

  benchmarks/transformers/setup.sh            # once: a venv with transformers
  deploy/local/demo_model.sh                  # once: the demo model
  bazel build -c opt //deploy/local:apollo_local //router //dense_worker //expert_worker //tools/apollo
  benchmarks/decode/decode_vs_transformers.py --python VENV/bin/python [--rounds 5]

Both decode from a prompt of 128 tokens. This server's time is measured by the client, from
the first token of the answer to the last, so it includes gRPC and all processes.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Plain words, about one token each: cut to 128 tokens below.
TEXT = "The heart pumps blood through the body and the lungs bring in fresh air . " * 12


class Processes:
    """Programs of this run; all are ended when the `with` block is left, however."""

    def __init__(self):
        self.started = []

    def __enter__(self):
        # SIGTERM leaves the block as Ctrl-C does.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def start(self, arguments, **options):
        process = subprocess.Popen(arguments, **options)
        self.started.append(process)
        return process

    def __exit__(self, *_):
        # The last one first: it uses those before it.
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(path, process, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        if os.path.exists(path):
            return dict(line.split() for line in open(path))["grpc"]
        if process.poll() is not None:
            sys.exit("a server did not start: see its output above")
        time.sleep(0.05)
    sys.exit("a server did not start in time")


class Ours:
    """The cluster: all roles in one process, or router, dense and expert worker."""

    def __init__(self, running, binaries, model, folder, threads, processes):
        self.client = os.path.join(binaries, "tools/apollo/apollo")
        listen = ["--model", model, "--listen=127.0.0.1:0", "--metrics_listen=127.0.0.1:0"]

        def start(program, name, flags):
            path = os.path.join(folder, name)
            process = running.start(
                [os.path.join(binaries, program), *listen, "--address_file", path, *flags],
                stderr=subprocess.DEVNULL)
            return wait_for(path, process)

        if processes == 1:
            self.address = start("deploy/local/apollo_local", "local", [f"--threads={threads}"])
        else:
            expert = start("expert_worker/expert_worker", "expert",
                           ["--experts=all", f"--threads={threads}"])
            dense = start("dense_worker/dense_worker", "dense",
                          [f"--expert_workers={expert}", f"--threads={threads}"])
            self.address = start("router/router", "router", [f"--dense_workers={dense}"])
        subprocess.run([self.client, "--server", self.address, "health", "--wait", "120"],
                       check=True, stdout=subprocess.DEVNULL)
        ids = json.loads(self.run_client("tokenize", TEXT))
        pieces, count = b"", 0
        import base64
        for token in ids["tokens"][:128]:
            pieces += base64.b64decode(token)
            count += 1
        self.prompt, self.prompt_tokens = pieces.decode(), count

    def run_client(self, *arguments):
        return subprocess.run([self.client, "--server", self.address, "--json", *arguments],
                              check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout.decode()

    def decode(self, tokens):
        out = self.run_client("ask", "--raw", "--ignore_eos", "--max_new_tokens", str(tokens),
                              self.prompt)
        finished = [json.loads(line)["finished"] for line in out.splitlines()
                    if '"finished"' in line][0]
        timings = finished["timings"]
        seconds = timings["total_seconds"] - timings["first_token_seconds"]
        return (tokens - 1) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                         "apollo-moe")
    parser.add_argument("--model", default=os.path.join(cache, "demo"))
    parser.add_argument("--python", default=os.path.join(cache, "venv-transformers/bin/python"),
                        help="interpreter that has transformers (benchmarks/transformers/setup.sh)")
    parser.add_argument("--binaries", default=os.path.join(ROOT, ".bazel/bin"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-arguments", default="", help="more for decode_transformers.py")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, Processes() as running:
        os.makedirs(os.path.join(folder, "1"))
        os.makedirs(os.path.join(folder, "3"))
        one = Ours(running, args.binaries, args.model, os.path.join(folder, "1"), args.threads, 1)
        three = Ours(running, args.binaries, args.model, os.path.join(folder, "3"), args.threads, 3)
        peer = running.start(
            [args.python, os.path.join(ROOT, "benchmarks/transformers/decode_transformers.py"),
             "--interactive", *args.peer_arguments.split()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print("peer:", peer.stdout.readline().strip(), flush=True)
        rates = {"one process": [], "three processes": [], "transformers float32": []}
        for round_number in range(args.rounds + 1):  # The first one warms up.
            peer.stdin.write("run\n")
            peer.stdin.flush()
            theirs = json.loads(peer.stdout.readline())
            row = {"one process": one.decode(args.tokens),
                   "three processes": three.decode(args.tokens),
                   "transformers float32": theirs["decode_tokens_per_second"]}
            print("round", round_number, {k: round(v, 1) for k, v in row.items()}, flush=True)
            if round_number > 0:
                for name, value in row.items():
                    rates[name].append(value)
        peer.stdin.close()
        peer.wait()
    base = statistics.median(rates["transformers float32"])
    print(f"\n{'decode, 1 stream, float32':28} {'tokens/s':>10} {'ratio':>8}")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:28} {median:10.1f} {median / base:8.2f}")


if __name__ == "__main__":
    main()

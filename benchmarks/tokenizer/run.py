#!/usr/bin/env python3
"""Times our tokenizer, Hugging Face tokenizers and tiktoken on the same paragraphs, one thread each, in turns.

    benchmarks/tokenizer/prepare.py DIR
    bazel build -c opt //benchmarks/tokenizer:tokenizer_benchmark
    benchmarks/tokenizer/run.py DIR --program .bazel/bin/benchmarks/tokenizer/tokenizer_benchmark [--rounds 7] [--long]

Each round runs one pass of each tokenizer over all paragraphs, so that other load of the machine affects all alike.
Measures CPU time. Prints the median speed in MB of UTF-8 per second, the range, and the ratio to ours (the median over
the rounds of the quotient within a round). Ours and tokenizers normalize to NFC; tiktoken does not, and the output
tells how many paragraphs therefore differ. The ids of ours and of tokenizers are compared, by their sum, before any timing.
--long then encodes texts of up to 2 MB without spaces, each twice as long as the one before: linear time doubles each
time. Needs `pip install tokenizers tiktoken`.
"""

import argparse
import base64
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tiktoken  # noqa: E402
import tokenizers  # noqa: E402


class Ours:
    name = "this project"

    def __init__(self, program, folder, paragraphs):
        self.process = subprocess.Popen([program, folder / "qwen2.json", paragraphs],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = json.loads(self.process.stdout.readline())
        self.load, self.sum = first["load_s"], first["sum"]

    def seconds(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class HuggingFace:
    name = f"tokenizers {tokenizers.__version__}"

    def __init__(self, folder, paragraphs):
        start = time.process_time()
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "qwen2.json"))
        self.load = time.process_time() - start
        self.tokenizer.encode_special_tokens = True
        self.paragraphs = paragraphs
        self.ids = [self.tokenizer.encode(p).ids for p in paragraphs]
        self.sum = sum(map(sum, self.ids))

    def seconds(self):
        encode = self.tokenizer.encode
        start = time.process_time()
        for paragraph in self.paragraphs:
            encode(paragraph)
        return time.process_time() - start


class Tiktoken:
    name = f"tiktoken {tiktoken.__version__} (no NFC)"

    def __init__(self, folder, paragraphs):
        description = json.loads((folder / "qwen2.json").read_text())
        pattern = description["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        start = time.process_time()
        ranks = {}
        for line in (folder / "qwen.tiktoken").read_bytes().splitlines():
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
        self.encoding = tiktoken.Encoding("qwen2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.load = time.process_time() - start
        self.paragraphs = paragraphs
        self.ids = [self.encoding.encode_ordinary(p) for p in paragraphs]

    def seconds(self):
        encode = self.encoding.encode_ordinary
        start = time.process_time()
        for paragraph in self.paragraphs:
            encode(paragraph)
        return time.process_time() - start


def long_texts(args, theirs, plain):
    """Prints the seconds for texts of one piece, each twice as long as the one before."""
    print(f"\n{'text without a blank, processor seconds':40} {'MB':>5} {'ours':>8} {'tokenizers':>11} {'tiktoken':>9}")
    slow = set()
    for name, unit in (("one letter", "a"), ("one Han character", "痛"), ("a word", "headache"), ("!", "!"),
                       ("Thai letters", "ปวดหัว")):
        slow.clear()
        for size in (250_000, 500_000, 1_000_000, 2_000_000):
            text = unit * (size // len(unit.encode()))
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump([text], file)
                file.flush()
                ours = Ours(args.program, args.folder, file.name)
            row = [min(ours.seconds() for _ in range(3))]
            ours.close()
            for contender in (theirs, plain):
                if contender in slow:
                    row.append(None)
                    continue
                contender.paragraphs = [text]
                try:
                    row.append(contender.seconds())
                except BaseException:  # tiktoken panics if its regular expression hits a limit.
                    row.append(None)
                if row[-1] is None or row[-1] > 5:
                    slow.add(contender)  # The next size would take too long.
            cells = ["-" if r is None else f"{r:.4f}" for r in row]
            print(f"{name:40} {size / 1e6:5.2f} {cells[0]:>8} {cells[1]:>11} {cells[2]:>9}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()

    paragraphs = json.loads((args.folder / "paragraphs.json").read_text())
    megabytes = sum(len(p.encode()) for p in paragraphs) / 1e6
    ours = Ours(args.program, args.folder, args.folder / "paragraphs.json")
    theirs = HuggingFace(args.folder, paragraphs)
    plain = Tiktoken(args.folder, paragraphs)
    if ours.sum != theirs.sum:
        sys.exit("the ids differ from those of tokenizers")
    wrong = sum(a != b for a, b in zip(plain.ids, theirs.ids))
    print(f"{len(paragraphs)} paragraphs, {megabytes:.2f} MB, {sum(map(len, theirs.ids))} tokens, {args.rounds} rounds; "
          f"ids equal those of tokenizers; tiktoken differs in {wrong} paragraphs")

    contenders = [ours, theirs, plain]
    times = {c: [] for c in contenders}
    for _ in range(args.rounds):
        for c in contenders:
            times[c].append(c.seconds())
    print(f"{'':30} {'MB/s':>7} {'range':>15} {'ours is':>9} {'load':>8}")
    for c in contenders:
        speeds = [megabytes / t for t in times[c]]
        ratio = statistics.median(t / o for t, o in zip(times[c], times[ours]))
        spread = f"{min(speeds):.1f}-{max(speeds):.1f}"
        print(f"{c.name:30} {statistics.median(speeds):7.1f} {spread:>15} {ratio:8.1f}x {c.load:7.2f}s")
    if args.long:
        long_texts(args, theirs, plain)


if __name__ == "__main__":
    main()

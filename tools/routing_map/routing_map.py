#!/usr/bin/python3
"""Measures the expert use of languages by sending texts through a running cluster.

    tools/routing_map/setup.sh                                      # once: installs matplotlib
    tools/routing_map/routing_map.py --out DIR TEXTS/*.txt

Each file contains the text of one language and is named by its code (de.txt). The texts are sent
in pieces as prompts through the public API, and the expert use reported by each request is summed,
so other traffic does not matter. Every token of the text counts once in each sparse layer, and
there once for each of its k experts. Output:

    DIR/routing.csv      language,family,layer,expert,tokens,share
    DIR/off_family.csv   language,family,layer,tokens,off_family_tokens,token_rate,choice_rate
    DIR/routing.svg, DIR/routing.png     a heat map for each language, and for their average

`tokens` is the number of tokens that used the expert; `share` is their share of all uses in that
layer. The language `average` is the mean of the shares of the languages: all have the same weight,
whatever the length of their texts. Each run of white space is sent as one space. A token that the
tokenizer puts before each text (BOS) counts once per piece. Dense workers that do not take part are
named, with the reason. Off family describes the gate alone: a token is off family if its k experts
do not include its family's expert, even if hybrid routing then adds that one. docs/routing.md has
the definitions.
"""

import argparse
import concurrent.futures
import csv
import json
import os
import subprocess
import sys

AVERAGE = "average"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failure(Exception):
    """Ends the program with a message, which never contains the text."""


def call(args, command, text=None):
    """Runs the client and returns its JSON lines."""
    argv = [args.apollo, "--server", args.server, "--json", *command]
    try:
        done = subprocess.run(
            argv, input=None if text is None else text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise Failure(f"cannot run {args.apollo}: {error.strerror}; build //tools/apollo") from None
    if done.returncode != 0:
        raise Failure(f"the client failed: {done.stderr.decode(errors='replace').strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def read_text(path):
    with open(path, "rb") as f:
        data = f.read()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise Failure(f"{path}: has no text")
    return text


def pieces(text, max_bytes):
    """Splits the text into pieces of at most max_bytes, between words if possible."""
    result, piece, size = [], [], 0
    for line in text.splitlines():
        for word in line.split(" "):
            word = word.strip()
            while word:
                # The longest prefix that fits into a piece; a character has at most 4 bytes.
                head = word.encode()[:max_bytes].decode(errors="ignore")
                length = len(head.encode()) + (1 if piece else 0)
                if size + length > max_bytes and piece:
                    result.append(" ".join(piece))
                    piece, size = [], 0
                    continue
                piece.append(head)
                size += length
                word = word[len(head):]
    if piece:
        result.append(" ".join(piece))
    return result


class Use:
    """Counts of expert use in every sparse layer."""

    def __init__(self):
        self.tokens_by_expert = {}  # layer -> [experts]
        self.off_family = {}  # layer -> tokens

    def add(self, expert_use):
        for layer in expert_use:
            number = layer["layer"]
            counts = [int(n) for n in layer["tokens_by_expert"]]
            before = self.tokens_by_expert.get(number, [0] * len(counts))
            self.tokens_by_expert[number] = [a + b for a, b in zip(before, counts)]
            self.off_family[number] = self.off_family.get(number, 0) + int(layer["off_family_tokens"])

    def shares(self, layer):
        counts = self.tokens_by_expert[layer]
        total = sum(counts)
        return [n / total if total else 0.0 for n in counts]


def send(args, language, text):
    command = ["ask", "--raw", "--max_new_tokens", "1", "--language", language,
               "--routing", args.routing, "-"]
    events = call(args, command, text)
    finished = [e["finished"] for e in events if "finished" in e]
    if len(finished) != 1 or not finished[0]["expert_use"]:
        raise Failure(f"{language}: an answer does not say which experts it used")
    return finished[0]


def collect(args, texts, clients):
    """Returns a mapping of language -> Use. Prints the number of counted tokens."""
    uses = {language: Use() for language in texts}
    cached = 0
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = []
        for language, text in texts.items():
            for piece in pieces(text, args.piece_bytes):
                answers.append((language, pool.submit(send, args, language, piece)))
        try:
            for language, answer in answers:
                finished = answer.result()
                uses[language].add(finished["expert_use"])
                cached += finished["usage"]["cached_tokens"]
        except Failure:
            pool.shutdown(cancel_futures=True)
            raise
    if cached:
        print(f"note: {cached} tokens were found in the cluster's cache", file=sys.stderr)
    return uses


def print_missing(args):
    """Prints the dense workers that do not take part or cannot be asked. The counts remain valid even if
    this fails."""
    try:
        sources = call(args, ["routing"])[0]["sources"]
    except Failure as failure:
        print(f"note: cannot determine which dense workers take part: {failure}", file=sys.stderr)
        return
    for source in sources:
        if not source["answered"]:
            print(f"note: dense worker {source['dense_worker']} is not in the cluster's answer: "
                  f"{source['reason']}", file=sys.stderr)


def average_shares(uses, layer):
    shares = [use.shares(layer) for use in uses.values()]
    return [sum(column) / len(shares) for column in zip(*shares)]


def write_csv(path, head, rows):
    with open(path, "w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def routing_rows(uses, family_of):
    layers = sorted(next(iter(uses.values())).tokens_by_expert)
    rows = []
    for language, use in uses.items():
        for layer in layers:
            for expert, (count, share) in enumerate(
                    zip(use.tokens_by_expert[layer], use.shares(layer))):
                rows.append([language, family_of[language], layer, expert, count, f"{share:.6f}"])
    for layer in layers:
        for expert, share in enumerate(average_shares(uses, layer)):
            total = sum(use.tokens_by_expert[layer][expert] for use in uses.values())
            rows.append([AVERAGE, -1, layer, expert, total, f"{share:.6f}"])
    return rows


def off_family_rows(uses, family_of, k):
    rows = []
    for language, use in uses.items():
        for layer, off in sorted(use.off_family.items()):
            tokens = sum(use.tokens_by_expert[layer]) // k
            # One of a token's k choices is the family's expert, unless the token is off family.
            on_family_choices = tokens - off
            rows.append([language, family_of[language], layer, tokens, off, f"{off / tokens:.6f}",
                         f"{1 - on_family_choices / (k * tokens):.6f}"])
    return rows


def print_off_family(rows, names):
    print("language  family                       layer    tokens  off family: tokens  choices")
    for language, family, layer, tokens, _, token_rate, choice_rate in rows:
        name = f"{family} {names[family]}"
        print(f"{language:<9} {name:<28} {layer:>5} {tokens:>9} "
              f"{100 * float(token_rate):>18.1f}% {100 * float(choice_rate):>7.1f}%")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="CODE.txt")
    parser.add_argument("--out", required=True, metavar="DIR", help="output directory; created if missing")
    parser.add_argument("--server", default=os.environ.get("APOLLO_SERVER", "127.0.0.1:50051"))
    parser.add_argument("--apollo", default=os.path.join(ROOT, ".bazel/bin/tools/apollo/apollo"),
                        help="the client (default: %(default)s)")
    parser.add_argument("--routing", choices=["topk", "hybrid"], default="topk")
    parser.add_argument("--piece_bytes", type=int, default=800, help="bytes of text per request "
                        "(default: %(default)s); must fit into the model's context")
    parser.add_argument("--clients", type=int, default=4, help="concurrent requests")
    parser.add_argument("--no_plot", action="store_true", help="write the CSV files only")
    args = parser.parse_args()
    if args.piece_bytes < 4:
        parser.error("--piece_bytes must be at least 4: the bytes of one character")
    if args.clients < 1:
        parser.error("--clients must be at least 1")
    return args


def run(args):
    if not args.no_plot:
        # Before any work, so that no work is lost.
        try:
            import matplotlib  # noqa: F401, pylint: disable=unused-import,import-outside-toplevel
        except ImportError:
            raise Failure("matplotlib is missing: run tools/routing_map/setup.sh, or use --no_plot") from None
    model = call(args, ["model"])[0]
    if model["experts_per_token"] == 0:
        raise Failure(f"the model {model['name']} has no experts: there is no routing to draw")
    names = {f["expert"]: f["name"] for f in model["families"]}
    family_of = {code: f["expert"] for f in model["families"] for code in f["languages"]}
    texts = {}
    for path in args.files:
        language = os.path.basename(path).removesuffix(".txt")
        if language not in family_of:
            raise Failure(f"{path}: \"{language}\" is not in the cluster's families; "
                          f"they have {' '.join(sorted(family_of))}")
        if language in texts:
            raise Failure(f"{path}: a second file for \"{language}\"")
        texts[language] = read_text(path)
    # By family, in the order of the table.
    texts = dict(sorted(texts.items(), key=lambda item: (family_of[item[0]], item[0])))
    uses = collect(args, texts, args.clients)
    print_missing(args)
    os.makedirs(args.out, exist_ok=True)
    write_csv(os.path.join(args.out, "routing.csv"),
              ["language", "family", "layer", "expert", "tokens", "share"],
              routing_rows(uses, family_of))
    off = off_family_rows(uses, family_of, model["experts_per_token"])
    write_csv(os.path.join(args.out, "off_family.csv"),
              ["language", "family", "layer", "tokens", "off_family_tokens", "token_rate", "choice_rate"], off)
    print_off_family(off, names)
    if not args.no_plot:
        import draw  # pylint: disable=import-outside-toplevel
        layers = sorted(next(iter(uses.values())).tokens_by_expert)
        panels = [draw.Panel(AVERAGE, -1, [average_shares(uses, layer) for layer in layers])]
        panels += [draw.Panel(language, family_of[language], [use.shares(layer) for layer in layers])
                   for language, use in uses.items()]
        draw.heat_maps(panels, layers, f"{model['name']}, routing {args.routing}",
                       [os.path.join(args.out, name) for name in ("routing.svg", "routing.png")])


def main():
    try:
        run(parse())
    except (Failure, OSError) as error:
        print(f"routing_map: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Trains the language classifier from normalised text.

    train.py --text TRAIN.tsv --out MODEL.ftz

TRAIN.tsv comes from corpus.py and normalize. The fasttext program (apt: fasttext)
trains in one thread with a fixed seed, so the same text gives the same model. The
features are n-grams of characters, hashed into buckets whose vectors are then
quantised; whole words are no features.
"""

import argparse
import collections
import os
import random
import subprocess
import tempfile

import sources


def load(path):
    """Texts by language; romanised ones, of languages with another script, apart."""
    texts = collections.defaultdict(list)
    owners = collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            language, source, text = line.rstrip("\n").split("\t")
            texts[language, source == sources.ROMANISED].append(text)
            owners[text].add(language)
    # What three languages share is English, a name or a term in most of them.
    return {key: [t for t in lines if len(owners[t]) < 3 or key[0] == "en"]
            for key, lines in texts.items()}


def samples(lines, size, rng):
    """Pieces of text of many lengths, about `size` characters in all.

    Interface texts are short and alike; a third of the samples joins some, half
    are cut, since questions are short too.
    """
    lines = sorted(t for t in set(lines) if len(t) >= 4)  # Whatever the packages' order was.
    if not lines:
        return []
    result = []
    total = 0
    while total < size:
        rng.shuffle(lines)
        i = 0
        while i < len(lines) and total < size:
            kind = rng.random()
            take = rng.randint(2, 4) if kind < 0.3 else 1
            piece = " ".join(lines[i:i + take])
            i += take
            if kind > 0.5 and len(piece) > 24:
                length = rng.randint(16, 90)
                start = rng.randint(0, max(0, len(piece) - length))
                # To the borders of words, where there are any near.
                space = piece.find(" ", start)
                if start > 0 and 0 <= space - start < 12:
                    start = space + 1
                piece = piece[start:start + length]
                space = piece.rfind(" ")
                if space > 12:
                    piece = piece[:space]
            piece = piece[:400].strip()
            if len(piece) >= 4:
                result.append(piece)
                total += len(piece)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=260_000, help="characters per language")
    parser.add_argument("--repeat", type=float, default=6.0,
                        help="how often a small language's text may come again")
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--epoch", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.25)
    parser.add_argument("--bucket", type=int, default=215_000)
    parser.add_argument("--cutoff", type=int, default=0,
                        help="keep only so many n-grams; 0: all buckets")
    parser.add_argument("--maxn", type=int, default=4)
    parser.add_argument("--dsub", type=int, default=2, help="numbers per quantised code")
    parser.add_argument("--keep", help="keep the training text in this file")
    arguments = parser.parse_args()

    rng = random.Random(arguments.seed)
    texts = load(arguments.text)
    lines = []
    for language, romanised in sorted(texts):
        most = arguments.most // 4 if language in sources.OTHERS or romanised else arguments.most
        mine = texts[language, romanised]
        have = sum(map(len, set(mine)))
        size = min(most, int(have * arguments.repeat))
        lines += ["__label__%s %s" % (language, piece) for piece in samples(mine, size, rng)]
    rng.shuffle(lines)

    with tempfile.TemporaryDirectory() as folder:
        text = arguments.keep or os.path.join(folder, "text")
        with open(text, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        full = os.path.join(folder, "model")
        common = ["-thread", "1", "-seed", str(arguments.seed), "-verbose", "1"]
        subprocess.run(
            ["fasttext", "supervised", "-input", text, "-output", full,
             "-dim", str(arguments.dim), "-epoch", str(arguments.epoch),
             "-lr", str(arguments.lr), "-minn", "1", "-maxn", str(arguments.maxn),
             "-bucket", str(arguments.bucket), "-minCount", "1000000",
             "-loss", "softmax"] + common, check=True)
        if arguments.out.endswith(".ftz") and not arguments.cutoff:
            subprocess.run(
                ["fasttext", "quantize", "-input", text, "-output", full, "-qnorm",
                 "-dsub", str(arguments.dsub)] + common, check=True)
            os.replace(full + ".ftz", arguments.out)
        elif arguments.cutoff:
            subprocess.run(
                ["fasttext", "quantize", "-input", text, "-output", full,
                 "-cutoff", str(arguments.cutoff), "-retrain", "-epoch", "1",
                 "-lr", str(arguments.lr / 5), "-qnorm", "-dsub", str(arguments.dsub)] + common,
                check=True)
            os.replace(full + ".ftz", arguments.out)
        else:
            os.replace(full + ".bin", arguments.out)
    print("%s: %d bytes" % (arguments.out, os.path.getsize(arguments.out)))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains the language classifier from normalised text.

    train.py --text TRAIN.tsv --out MODEL.ftz

TRAIN.tsv comes from corpus.py and normalize. The fasttext program (apt: fasttext)
trains in one thread with a fixed seed, so the same text gives the same model. The
features are n-grams of characters, hashed into buckets whose vectors are then
quantised. Whole words are not features.
"""

import argparse
import collections
import os
import random
import re
import subprocess
import tempfile

import sources


def load(path):
    """Returns texts by label, and short questions separately."""
    texts = collections.defaultdict(list)
    owners = collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            language, source, text = line.rstrip("\n").split("\t")
            label = language
            if source == sources.ROMANISED or language == "sr" and re.search("[a-z]", text):
                label += "_Latn"
            texts[label, source == sources.QUESTIONS].append(text)
            if source != sources.QUESTIONS:
                owners[text].add(language)
    # Text shared by three languages is English, a name or a term in most of them.
    return {key: [t for t in lines if key[1] or key[0] == "en" or len(owners[t]) < 3]
            for key, lines in texts.items()}


# Similar languages, which need more text to be distinguished.
SERBO_CROATIAN = ("bs", "hr", "sr_Latn")
ALIKE = ("da", "no") + SERBO_CROATIAN
# Languages without spaces between words.
DENSE = ("zh", "ja", "th", "lo")


def cut(piece, language, rng):
    """Returns two to six words of a text, or as much text without spaces."""
    if language in DENSE:
        length = rng.randint(4, 14)
        start = rng.randint(0, max(0, len(piece) - length))
        return piece[start:start + length]
    words = piece.split(" ")
    count = rng.choice((2, 3, 3, 4, 4, 5, 6))
    start = rng.randint(0, max(0, len(words) - count))
    return " ".join(words[start:start + count])


def samples(lines, size, rng):
    """Returns pieces of text of many lengths, about `size` characters in total.

    Interface texts are short and similar. A third of the samples joins several, and
    half are cut, since questions are short too.
    """
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
                # Moves to word boundaries if any are near.
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


def short_samples(lines, language, size, rng):
    """Returns samples cut to a few words."""
    result = []
    total = 0
    lines = [t for t in lines if len(t) >= 12]
    while lines and total < size:
        piece = cut(rng.choice(lines), language, rng).strip()
        if len(piece) >= 4:
            result.append(piece)
            total += len(piece)
    return result


def take(lines, size, rng):
    """Returns some of the texts unchanged; repeats them if there are too few."""
    result = []
    total = 0
    while lines and total < size:
        piece = rng.choice(lines)
        result.append(piece)
        total += len(piece)
    return result


def with_neutral(piece, neutral, rng):
    """Returns the text with a name, a number or some code before, after or inside it."""
    other = rng.choice(neutral).split(" ")
    other = other[:rng.randint(1, 5)]
    words = piece.split(" ")
    place = rng.choice((0, len(words), len(words), rng.randint(0, len(words))))
    return " ".join(words[:place] + other + words[place:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=240_000, help="characters per language")
    parser.add_argument("--short", type=int, default=110_000, help="of texts of a few words")
    parser.add_argument("--questions", type=int, default=84_000, help="of short questions")
    parser.add_argument("--neutral", type=int, default=1_700_000,
                        help="characters in no language")
    parser.add_argument("--repeat", type=float, default=6.0,
                        help="how often a small language's text may come again")
    parser.add_argument("--dim", type=int, default=24)
    parser.add_argument("--epoch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.25)
    parser.add_argument("--bucket", type=int, default=200_000)
    parser.add_argument("--cutoff", type=int, default=0,
                        help="maximum number of n-grams to keep; 0: all buckets")
    parser.add_argument("--maxn", type=int, default=4)
    parser.add_argument("--dsub", type=int, default=3, help="numbers per quantised code")
    parser.add_argument("--keep", help="keep the training text in this file")
    arguments = parser.parse_args()

    rng = random.Random(arguments.seed)
    texts = load(arguments.text)
    neutral = texts[sources.NO_LANGUAGE, False]
    lines = []
    for label, questions in sorted(texts):
        mine = texts[label, questions]
        if questions:
            pieces = take(mine, arguments.questions, rng)
        elif label == sources.NO_LANGUAGE:
            pieces = take(mine, arguments.neutral, rng)
        else:
            # Independent of the order of the packages.
            mine = sorted(t for t in set(mine) if len(t) >= 4)
            have = sum(map(len, mine)) * arguments.repeat
            if label in ALIKE:
                share = 2.4 if label in SERBO_CROATIAN else 1.6
            elif label == "en":
                share = 1.6  # Code and terms are full of its words.
            elif label in sources.OTHERS:
                share = 0.12
            else:
                share = 0.3 if label.endswith("_Latn") else 1.0
            pieces = samples(mine, min(arguments.most * share, have), rng) if mine else []
            pieces += short_samples(mine, label, min(arguments.short * share, have), rng)
        if label != sources.NO_LANGUAGE:
            latin = bool(mine) and re.search("[a-z]", mine[0]) is not None
            pieces = [with_neutral(p, neutral, rng) if latin and rng.random() < 0.12 else p
                      for p in pieces]
        lines += ["__label__%s %s" % (label, piece) for piece in pieces]
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

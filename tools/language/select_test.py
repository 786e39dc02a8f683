#!/usr/bin/env python3
"""Selects the sentences for the comparison of detectors.

    select_test.py --test TEST.tsv --train TRAIN.tsv --families FILE --out OUT.tsv

TEST.tsv and TRAIN.tsv are raw text accepted by `normalize --raw`. Takes up to
--most sentences of each language of the table, evenly from the packages, and none
that is part of the training text. The selection uses a hash of the text, so it is
the same on every machine.
"""

import argparse
import collections
import hashlib
import unicodedata


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--families", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--most", type=int, default=100)
    arguments = parser.parse_args()

    table = []
    with open(arguments.families, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0]
            if ":" in line:
                table += line.split(":")[1].split()

    def key(text):
        # Letters, and marks, which are vowels in many scripts.
        return "".join(c for c in text.lower() if unicodedata.category(c)[0] in "LM")

    trained = set()
    with open(arguments.train, encoding="utf-8") as file:
        for line in file:
            language, _, text = line.rstrip("\n").split("\t")
            if language in table:
                trained.add((language, key(text)))

    # A text that occurs in several languages is untranslated or uninformative.
    owners = collections.defaultdict(set)
    with open(arguments.test, encoding="utf-8") as file:
        for line in file:
            language, _, text = line.rstrip("\n").split("\t")
            owners[key(text)].add(language)

    chosen = {language: collections.defaultdict(dict) for language in table}
    with open(arguments.test, encoding="utf-8") as file:
        for line in file:
            language, package, text = line.rstrip("\n").split("\t")
            if language not in chosen:
                continue
            letters = key(text)
            dense = language in ("zh", "ja", "th", "lo", "ko")
            if not (12 if dense else 35) <= len(letters) <= 300:
                continue
            if not dense and len(text.split()) < 5 or (language, letters) in trained:
                continue
            if len(owners[letters]) > 1 and language != "en":
                continue
            # Lists, code and untranslated technical text are not sentences.
            if len(letters) < 0.6 * len(text):
                if not any(ord(c) > 0x900 for c in text):
                    continue
            chosen[language][package][letters] = text

    with open(arguments.out, "w", encoding="utf-8") as file:
        for language in table:
            queues = []
            for package in sorted(chosen[language]):
                texts = sorted(chosen[language][package].values(), key=lambda t: hashlib.sha256(
                    t.encode()).digest())
                queues.append([(package, text) for text in texts])
            taken = []
            while len(taken) < arguments.most and any(queues):
                for queue in queues:
                    if queue and len(taken) < arguments.most:
                        taken.append(queue.pop(0))
            for package, text in taken:
                file.write("%s\t%s\t%s\n" % (language, package, text))
            if len(taken) < 30:
                print("only %d sentences of %s" % (len(taken), language))


if __name__ == "__main__":
    main()

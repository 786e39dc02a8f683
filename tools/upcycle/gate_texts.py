#!/usr/bin/env python3
"""Prints texts for upcycle --gate-from-texts: the questions of tools/language/questions, a line each.

    tools/upcycle/gate_texts.py [--per_language N] > texts.tsv

A line is LANGUAGE<tab>TEXT. The slots of the questions are filled in turn, without random numbers, so the output is
always the same. The test texts of the language detector (model/language/testdata) are other texts: use those for
--gate-check-texts.
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools/language"))
import questions  # noqa: E402


def filled(slots, frame, turn):
    for slot, values in slots.items():
        while "{%s}" % slot in frame:
            frame = frame.replace("{%s}" % slot, values[turn % len(values)], 1)
            turn += 1
    return frame


def lines(folder, per_language):
    """Yields `per_language` questions of each language, spread over those of the files."""
    for language, (slots, frames) in sorted(questions.load(folder).items()):
        count = min(per_language, len(frames))
        for turn in range(count):
            yield f"{language}\t{filled(slots, frames[turn * len(frames) // count], turn)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per_language", type=int, default=16, metavar="N", help="texts per language; default 16")
    args = parser.parse_args()
    for line in lines(os.path.join(ROOT, "tools/language/questions"), args.per_language):
        print(line)


if __name__ == "__main__":
    main()

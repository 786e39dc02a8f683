#!/usr/bin/env python3
"""Writes corpus/: valid and invalid families files and classifier settings."""

import pathlib

TEXTS = {
    "two": b"0 a: en de\n1 b: fr es-419\n",
    "any_order": b"# c\r\n\r\n 1\tgermanic :  en\tde # and others\r\n0 romance:fr\r\n",
    "empty": b"",
    "comment_only": b"# nothing\n",
    "language_twice": b"0 a: en fr\n1 b: en\n",
    "expert_twice": b"0 a: en\n0 b: fr\n",
    "name_twice": b"0 a: en\n1 a: fr\n",
    "gap": b"0 a: en\n2 c: fr\n",
    "no_language": b"0 a:\n",
    "no_colon": b"0 a en\n",
    "two_colons": b"0 a: en: fr\n",
    "negative": b"-1 a: en\n",
    "huge_expert": b"99999999999999999999 a: en\n",
    "capitals": b"0 a: EN\n",
    "control": b"0 a\x1b[2J: en\n",
    "not_utf8": b"0 a: \xff\xfe\n",
    "zero": b"0 a: e\0n\n",
    "long_line": b"0 a: " + b"en" * 4000,
    "labels": b"label __label__eng_Latn en\nlabel __label__zxx -\n",
    "temperatures": b"temperature 10 1.5\ntemperature 40 1.1\n",
    "label_twice": b"label a b\nlabel a c\n",
    "temperature_nan": b"temperature 1 nan\n",
    "temperature_huge": b"temperature 1 1e999\n",
    "letters_negative": b"temperature -5 1\n",
}


def main():
    folder = pathlib.Path(__file__).parent / "corpus"
    folder.mkdir(exist_ok=True)
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    main()

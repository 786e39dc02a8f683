#!/usr/bin/env python3
"""Writes corpus/: questions in several scripts, and texts that are not questions."""

import pathlib

TEXTS = {
    "empty": b"",
    "one_letter": b"a",
    "one_byte": b"\xff",
    "zero": b"\0",
    "controls": bytes(range(32)) + b"\x7f\xc2\x85\xe2\x80\xa8",
    "latin": "Was sind die Anzeichen einer Grippe?".encode(),
    "chat": "¿Qué es la anemia?\n20 mg?\nok\n\n\n9".encode(),
    "mixed": "请问 metoprolol 50mg 和 amlodipine 可以一起吃吗？ Можно? דם ปวด ປວດ 두통 かゆい".encode(),
    "marks": "क्षि e\u0301\u0323 \u0301 \u200d\u200c\u00ad ''’’".encode(),
    "code": b"```x\n``` `y` <b a=1> </ <<>> f(x); a_b http://x.y/z?q=1 camelCase @x #y \\z",
    "open_fence": b"a ``` b `c\n<d",
    "labels": b"</s> <BOW> __label__de __label__ __label__zz",
    "cut": "頭痛".encode()[:-1],
    "not_utf8": b"\xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 a\xe2\x82b",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪 ①½Ⅷ ٣٤٥".encode(),
    "long_word": b"a" * 9000,
    "long": "Mutum yana fama da zazzaɓi. ".encode() * 400,
    "private": "\ue000\U0010ffff\ufffe\ufdd0\U000e0041".encode(),
}


def main():
    folder = pathlib.Path(__file__).parent / "corpus"
    folder.mkdir(exist_ok=True)
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares the C++ tokenizer with Hugging Face `tokenizers`, id by id.

    bazel build //model/tokenizer:encode_lines
    tests/differential/tokenizer_diff.py --encode-lines .bazel/bin/model/tokenizer/encode_lines \
        model/tokenizer/testdata/qwen_small.json [more tokenizer.json files]

Texts: every Unicode code point (assigned or not, without surrogates) in several contexts;
sentences in 50 languages with every kind of line end between them; runs of one character or
word without spaces, up to 100,000 bytes; then random mixtures of scripts, emoji, combining
marks, white space of all kinds, digits of all scripts, code, contractions and control-token
look-alikes. Each text is encoded with control tokens as plain text and as tokens, and
decoded, at once and as a stream, with the library's text. run.sh in this folder runs all comparisons.
Needs `pip install tokenizers`. Exits with 1 if anything differs.
"""

import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import threading
import unicodedata

from tokenizers import Tokenizer

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "model/tokenizer/testdata"))
import plain_text

SURROUNDINGS = ["{c}", "x{c}y", "  {c}{c} ", "'{c}", "e{c}\u0301\u0323", "1{c}\n\n{c}", " {c}'s"]

WORDS = """
hello World DON'T it's we'll I'VE you're O'Brien naïve résumé Ångström ǅ ﬁne ſtraße 'ſ
Fieber Kopfschmerzen чтоперед дiабет Здоровье ΟΔΥΣΣΕΥΣ 頭痛がします 糖尿病的症状 안녕하세요 두통 ไข้หวัดใหญ่ ປວດຫົວ
السكري صُداع אבחנה नमस्ते मधुमेह മലയാളം বাংলা தமிழ் ខ្មែរ မြန်မာ ትኩሳት bệnh tiểu đường ɗan ƙasa ọgwụ ṣúgà
क्षि e\u0301 a\u0323\u0302 \u1100\u1161\u11a8 \u0958 \u2126 \u212b \ufb01 \u0344 \u1e9b\u0323 가\u11a8
👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 ☎️ 1️⃣ 🧬 ½ Ⅷ ٣٤٥ १२३ ３ ① 𝟙𝟚 12345 3.14 1,000,000 10mg/kg COVID-19
def f(x):return{"a":[1,2]} https://example.org/a?b=1&c=%20 <|endoftext|> <|im_start|> <|im_end|> <tool_call>
<|endoftext <|im_end|><|im_end|> </s> <mask> <left> <right> <word> <Ange\u0301> a\u07fd ''' ... ?!?! -- ─━ \u200b \u200d \ufeff \u00ad \u0085 \x1c \x00 \x7f \ue000 \U000e0041
""".split()
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", "\r", "\x0b", "\x0c", "\x85", "\xa0",
          "\u1680", "\u180e", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "", ""]


def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def surrounded(step):
    for surrounding in SURROUNDINGS:
        for c in code_points()[::step]:
            yield surrounding.replace("{c}", chr(c))


def languages():
    """Yields the fifty sentences and the hard cases of the committed golden file, singly, in pairs and in parts."""
    golden = pathlib.Path(__file__).parents[2] / "model/tokenizer/testdata/golden.json"
    texts = json.loads(golden.read_text())["texts"]
    yield from texts
    for i, text in enumerate(texts):
        for space in SPACES:
            yield text + space + texts[(i + 1) % len(texts)]
        for j in range(0, len(text), 3):
            yield text[j:j + 40]


def runs():
    units = ["a", "ab", "é", "e\u0301", "頭", "痛い", "क्षि", "ก", "가", "\u1100\u1161", "0", "٣", "!", "=", "-", " ", "\n",
             "\r\n", "\t", "\u3000", "👍", "👩‍👩‍👧‍👦", "\u0301", "\u0301\u0316", "\u0344\u0323", "\u0f73\u0f72", "<|im_end|>", "'s", "x'", "Hel", "\x00", "\ufffd"]
    for unit in units:
        for size in (1, 63, 64, 65, 1000, 100_000):
            text = unit * (size // len(unit.encode()) + 1)
            yield text
            yield "x" + text + "y"


def mixtures(count, seed):
    rng = random.Random(seed)
    points = [c for c in code_points() if unicodedata.category(chr(c)) not in ("Cn", "Co")]
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 30)):
            kind = rng.random()
            if kind < 0.6:
                parts.append(rng.choice(WORDS))
            elif kind < 0.8:
                parts.append("".join(chr(rng.choice(points)) for _ in range(rng.randint(1, 5))))
            else:
                parts.append(rng.choice("aAé1٣!'.\u0301क ") * rng.randint(1, 90))
            parts.append(rng.choice(SPACES))
        yield "".join(parts)


def batches(texts, size=2000):
    batch = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class Ours:
    """A running encode_lines process."""

    def __init__(self, program, path, parse):
        command = [program, path] + (["--parse-special"] if parse else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def encode(self, texts):
        def write():
            for text in texts:
                self.process.stdin.write(json.dumps(text) + "\n")
            self.process.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        lines = [self.process.stdout.readline() for _ in texts]
        writer.join()
        if not lines[-1]:
            sys.exit("encode_lines stopped early")
        return [json.loads(line) for line in lines]

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("encode_lines failed")


def compare(program, path, parse, texts):
    theirs = Tokenizer.from_file(path)
    if not parse:
        theirs = plain_text.without_control_tokens(json.loads(theirs.to_str()))
    theirs.no_truncation()
    theirs.no_padding()
    vocabulary = theirs.get_vocab(with_added_tokens=False)
    # Bytes without a token are dropped, so such a text cannot be restored.
    from tokenizers.pre_tokenizers import ByteLevel
    complete = all(c in vocabulary for c in ByteLevel.alphabet())
    # Other reasons why a text cannot be restored: a prepended space, absorbed
    # white space, and added tokens that the library itself decodes differently.
    description = json.loads(theirs.to_str())
    prefix_space = '"add_prefix_space": true' in json.dumps(description["pre_tokenizer"])
    exact = complete and not prefix_space and not any(
        t["lstrip"] or t["rstrip"] or not t["content"].isascii() for t in description["added_tokens"])
    ours = Ours(program, path, parse)
    whole = Tokenizer.from_file(path)  # Of the ids that it decodes, those of control tokens have their names.
    count = wrong = 0
    for batch in batches(texts):
        expected = theirs.encode_batch(batch, add_special_tokens=False)
        for text, want, got in zip(batch, expected, ours.encode(batch)):
            count += 1
            good = got.get("ids") == want.ids and got.get("text") == whole.decode(want.ids, skip_special_tokens=False)
            if good and exact:
                normal = theirs.normalizer.normalize_str(text) if theirs.normalizer else text
                good = got["same"] or normal != text
            if not good:
                wrong += 1
                if wrong <= 10:
                    print(f"  {ascii(text):.200}: {str(got):.200}, expected {str(want.ids):.200}")
    ours.close()
    print(f"{path} ({'parse' if parse else 'plain'}): {count} texts, {wrong} differ", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encode-lines", required=True, help="the program //model/tokenizer:encode_lines")
    parser.add_argument("--mixtures", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="use only every n-th code point")
    parser.add_argument("tokenizers", nargs="+", help="tokenizer.json files")
    args = parser.parse_args()
    wrong = 0
    for path in args.tokenizers:
        wrong += compare(args.encode_lines, path, True, surrounded(args.step))
        for parse in (False, True):
            wrong += compare(args.encode_lines, path, parse, itertools.chain(languages(), runs()))
            wrong += compare(args.encode_lines, path, parse, mixtures(args.mixtures, args.seed))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

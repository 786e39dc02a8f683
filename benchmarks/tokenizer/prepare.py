#!/usr/bin/env python3
"""Creates the input of the tokenizer benchmark in a folder:

    benchmarks/tokenizer/prepare.py [--tokenizer-only] DIR

  DIR/qwen2.json       Qwen's vocabulary (151,643 tokens; from the PyPI package dashscope, Apache-2.0)
                       as a tokenizer.json with Qwen2's normalizer, pattern and special tokens
  DIR/qwen.tiktoken    the same for tiktoken
  DIR/paragraphs.json  paragraphs of about 400 bytes in all languages of this project that
                       Debian's package mediawiki has interface translations for; 60 kB each

Needs `apt-get download`, `pip download` and the Python package tokenizers. Nothing is installed.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
# File names in mediawiki: zh-hans is zh, nb is no, sr-ec is sr. There is no doi and hardly any bm.
LANGUAGES = """zh-hans ko ja ne th vi lo mg ceb su ilo en de pt es fr ru hi it hr gl cs co la lb uk bs bg eo mai
sr-ec sq sk da sa nb gn gd ar ckb mt he ln sw nso ig rw ha""".split()
BYTES_PER_LANGUAGE = 60_000
PARAGRAPH_BYTES = 400


def merges_of(ranks):
    """Returns the merge of each token: byte-pair encoding with only the earlier tokens leaves two parts."""
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) == 1:
            continue
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            pairs = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:])]
            best = min(pairs)
            if best >= rank:
                raise ValueError(f"token {rank} cannot be reached")
            i = pairs.index(best)
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        yield parts


def byte_characters():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {b: chr(b) for b in own}
    for b in range(256):
        if b not in table:
            table[b] = chr(0x100 + len(table) - len(own))
    return table


def make_tokenizer(folder):
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", temporary, "dashscope"],
                       check=True)
        wheel = next(pathlib.Path(temporary).glob("*.whl"))
        data = zipfile.ZipFile(wheel).read("dashscope/resources/qwen.tiktoken")
    (folder / "qwen.tiktoken").write_bytes(data)
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines())}
    table = byte_characters()
    spell = lambda token: "".join(table[b] for b in token)
    model = models.BPE({spell(token): rank for token, rank in ranks.items()},
                       [(spell(a), spell(b)) for a, b in merges_of(ranks)])
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True)
                                  for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    tokenizer.save(str(folder / "qwen2.json"))


def messages(files):
    for file in files:
        for key, value in json.loads(file.read_text()).items():
            if not key.startswith("@") and isinstance(value, str) and len(value) >= 20:
                yield value


def make_paragraphs(folder):
    paragraphs = []
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["apt-get", "download", "-qq", "mediawiki"], cwd=temporary, check=True)
        package = next(pathlib.Path(temporary).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, temporary + "/x"], check=True)
        files = sorted(pathlib.Path(temporary, "x").rglob("i18n/**/*.json"))
        for language in LANGUAGES:
            total, paragraph = 0, ""
            for message in messages(f for f in files if f.stem == language):
                paragraph += message + " "
                size = len(paragraph.encode())
                if size >= PARAGRAPH_BYTES:
                    paragraphs.append(paragraph.strip())
                    total += size
                    paragraph = ""
                if total >= BYTES_PER_LANGUAGE:
                    break
    (folder / "paragraphs.json").write_text(json.dumps(paragraphs, ensure_ascii=False))


def main():
    tokenizer_only = sys.argv[1:2] == ["--tokenizer-only"]
    if len(sys.argv) != 2 + tokenizer_only or sys.argv[-1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[-1])
    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer(folder)
    if not tokenizer_only:
        make_paragraphs(folder)
    for file in sorted(folder.iterdir()):
        print(f"{file} {file.stat().st_size}")


if __name__ == "__main__":
    main()

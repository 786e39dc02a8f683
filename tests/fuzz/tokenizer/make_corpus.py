#!/usr/bin/env python3
"""Writes corpus/: small tokenizer.json files of every supported kind, each with a text, and invalid ones."""

import copy
import json
import pathlib


def alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in own] + [chr(0x100 + i) for i in range(256 - len(own))]


def added(token_id, content, **flags):
    entry = dict(id=token_id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False,
                 special=True)
    return {**entry, **flags}


def base():
    # Printable ASCII only: small inputs are more useful to a fuzzer than
    # complete ones.
    characters = [c for c in alphabet() if c < "\x7f" or c in "\u0120\u010a\u00c3\u00a9\u00e2\u0124\u0122"]
    vocab = {c: i for i, c in enumerate(characters)}
    for token in ("ab", "abc", "\u0120a", "bc"):
        vocab[token] = len(vocab)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(len(vocab), "<|end|>"), added(len(vocab) + 1, "<x>", special=False)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "ignore_merges": False, "vocab": vocab,
                  "merges": [["\u0120", "a"], ["a", "b"], ["b", "c"], ["ab", "c"]]},
    }


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def characters():
    """Returns a file like that of Llama 2."""
    names = ["<unk>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["\u2581", "a", "b", "c", "ab", "\u2581a"]
    return {
        "added_tokens": [added(0, "<unk>"), added(1, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"}, replace(" ", "\u2581")]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [
            replace("\u2581", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>",
                  "vocab": {name: i for i, name in enumerate(names)}, "merges": [["a", "b"], ["\u2581", "a"]]},
    }


def main():
    folder = pathlib.Path(__file__).parent / "corpus"
    folder.mkdir(exist_ok=True)
    text = "abc ab<|end|>bc <x> 12 e\u0301'S\r\n \u00e9"

    def write(name, value, raw=None):
        content = raw if raw is not None else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        (folder / name).write_bytes(content + b"\0" + text.encode())

    good = base()
    write("gpt2", good)
    sequence = copy.deepcopy(good)
    sequence["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"\s+(?!\S)|[^\s\p{L}]+|\p{N}{1,3}"}, "behavior": "Isolated",
         "invert": False},
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}]}
    write("sequence", sequence)
    legacy = copy.deepcopy(good)
    legacy["model"]["merges"] = ["#version: 0.2"] + [" ".join(m) for m in good["model"]["merges"]]
    write("legacy", legacy)
    ignoring = copy.deepcopy(good)
    ignoring["model"]["ignore_merges"] = True
    ignoring["model"]["merges"].reverse()
    write("ignore_merges", ignoring)
    flags = copy.deepcopy(good)
    flags["added_tokens"][0].update(lstrip=True, rstrip=True)
    flags["added_tokens"][1].update(single_word=True, normalized=True)
    write("flags", flags)
    template = copy.deepcopy(good)
    end = good["added_tokens"][0]["id"]
    template["post_processor"] = {"type": "TemplateProcessing", "pair": [], "single": [
        {"SpecialToken": {"id": "<|end|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [end], "tokens": ["<|end|>"]}}}
    write("template", template)
    behaviors = copy.deepcopy(good)
    behaviors["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
        for pattern, behavior, invert in (
            ({"Regex": r"\p{N}+"}, "Removed", False), ({"String": "b"}, "MergedWithPrevious", False),
            ({"String": " "}, "MergedWithNext", True), ({"Regex": "[a-c]"}, "Contiguous", False))] + [good["pre_tokenizer"]]}
    behaviors["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "NFKD"}, {"type": "Prepend", "prepend": "x"}, replace("bc", "a")]}
    behaviors["added_tokens"].append(added(end + 2, "\r\n", special=False))
    write("behaviors", behaviors)
    pieces = characters()
    write("characters", pieces)
    pieces["normalizer"] = None
    pieces["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    pieces["model"]["ignore_merges"] = True
    write("metaspace", pieces)

    wrong = copy.deepcopy(good)
    wrong["model"]["vocab"]["q"] = 18446744073709551615
    write("id_too_large", wrong)
    wrong = copy.deepcopy(good)
    wrong["model"]["merges"].append(["a", ["b"]])
    write("nested_merge", wrong)
    wrong = copy.deepcopy(good)
    wrong["model"]["vocab"]["q"] = {"a": [1, {"b": 2}]}
    write("nested_vocab", wrong)
    write("special_byte", {**good, "added_tokens": [added(good["model"]["vocab"]["x"], "x")]})
    write("deep", None, b'{"model":{"merges":' + b"[" * 200)
    write("truncated", None, json.dumps(good).encode()[:700])
    write("model_is_array", None, b'{"model":[{"vocab":{}}],"a":[[1],{"b":[]}]}')
    write("model_twice", None, b'{"model":{"vocab":{"a":1}},"model":{"vocab":{"a":1},"vocab":{}}}')
    write("empty", None, b"")


if __name__ == "__main__":
    main()

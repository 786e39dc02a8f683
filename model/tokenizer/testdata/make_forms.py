#!/usr/bin/env python3
"""Makes forms.json: forms of tokenizer.json, with what Hugging Face `tokenizers` makes of them (pip install tokenizers).

A case is a base file and a JSON merge patch (RFC 7386) of it. Either it has, for each text, the ids with control tokens
as text ("plain") and as tokens ("parse"), and the decoded text with special tokens ("decoded") and without ("answer");
or it is one that the library loads and this project refuses, with the error. Of each text, null stands for the value of
the first case of the base. forms_test.cc checks all cases; docs/tokenizer.md lists the forms.

With a folder as argument, writes the forms that are served there, each as a file for tests/differential, instead.

The output is the same on every run with the same version of tokenizers.
"""

import copy
import itertools
import json
import pathlib
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import make_testdata
import plain_text

TEXTS = [
    "", " ", "  ", "a", " a", "Hello world", "  two  spaces ", "don't WE'LL 12345 x1y22", "\n\na\n\n\nb \n\n", "\tx\r\n",
    "Kopfschmerzen und Fieber \u2013 3 Tage", "\u6211\u5934\u75db\u53d1\u70e7", "\U0001f9ec\u200d\U0001f44d caf\u00e9 e\u0301",
    "\ufb01 \u00bd \u212b A\u030a \uac00 \u1112\u1161\u11ab x\u00b2", "\u2581a\u2581 \u2581\u2581b", "_a__b_", "<0x41><0x0A>",
    "a<tool_call>b</tool_call> <tool_call>", "x<|im_end|>y <|im_start|>user\n<|endoftext|>", "<s> a</s>b<unk></s>",
    " <left> x  <right>  y <word> a<word>b <norm>\u00e9 <norm>e\u0301", "fever  fever", "aaaaaaaaaa headache headache",
    "a" * 70 + "\u75db" * 25, "\x00\x01\x7f\u0378",
]

KEYS = ("plain", "parse", "decoded", "answer")
SIMPLE = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)


def added(number, content, special=False, **flags):
    return {"id": number, "content": content, "special": special, **SIMPLE, **flags}


def bytes_base():
    """A file like that of Qwen2."""
    tokenizer = make_testdata.trained(make_testdata.split(make_testdata.QWEN2), 400)
    content = json.loads(tokenizer.to_str())
    content["normalizer"] = {"type": "NFC"}
    content["post_processor"] = byte_level(False, True, False)
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
    content["added_tokens"] = [added(400 + i, name, special=i < 3) for i, name in enumerate(names)]
    return content


def characters_base():
    """A file like that of Llama 2: tokens of characters, and one for each byte."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, limit_alphabet=80, show_progress=False)
    tokenizer.train_from_iterator([t for t in make_testdata.texts() if "<|" not in t], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    words = sorted(model["vocab"], key=model["vocab"].get)
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    for character in "\n\u2581":
        if character not in words:
            words.append(character)
    model["vocab"] = {word: i for i, word in enumerate(names + words)}
    model.update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    return {
        "version": "1.0", "truncation": None, "padding": None, "model": model,
        "added_tokens": [added(i, names[i], special=True) for i in range(3)],
        "normalizer": sequence("normalizers", prepend("\u2581"), replace(" ", "\u2581")),
        "pre_tokenizer": None,
        "post_processor": template("<s>", 1),
        "decoder": LLAMA_DECODER,
    }


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def pre(*steps):
    return {"pre_tokenizer": sequence("pretokenizers", *steps)}


def byte_level(add_prefix_space, use_regex, trim_offsets=True):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets, "use_regex": use_regex}


BYTES = byte_level(False, False)


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def prepend(text):
    return {"type": "Prepend", "prepend": text}


def strip(start=1, stop=0, content=" "):
    return {"type": "Strip", "content": content, "start": start, "stop": stop}


def metaspace(**changed):
    return {"type": "Metaspace", "replacement": "\u2581", **changed}


def template(name, number):
    piece = {"SpecialToken": {"id": name, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [piece, text], "pair": [piece, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [number], "tokens": [name]}}}


FUSE, FALLBACK = {"type": "Fuse"}, {"type": "ByteFallback"}
LLAMA_DECODER = sequence("decoders", replace("\u2581", " "), FALLBACK, FUSE, strip())


def decoders(*steps):
    return {"decoder": sequence("decoders", *steps)}


def normalizers(*steps):
    return {"normalizer": sequence("normalizers", *steps)}


def model(**changed):
    return {"model": changed}


def tokens(*extra, base):
    return {"added_tokens": base["added_tokens"] + list(extra)}


def byte_cases(base):
    """Yields name and patch."""
    digits, space = {"Regex": r"\p{N}+"}, {"String": " "}
    yield "as it is", {}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield f"normalizer {form}", {"normalizer": {"type": form}}
    yield "normalizer null", {"normalizer": None}
    yield "normalizer of no steps", normalizers()
    yield "normalizer of nested steps", normalizers({"type": "NFD"}, sequence("normalizers", replace("a", "bb"), {"type": "NFC"}))
    yield "normalizer Replace", {"normalizer": replace("aa", "a")}
    yield "normalizer Prepend", {"normalizer": prepend("x ")}
    for space_first, regex, trim in itertools.product((False, True), repeat=3):
        yield (f"pre_tokenizer ByteLevel add_prefix_space {space_first} use_regex {regex} trim_offsets {trim}",
               {"pre_tokenizer": byte_level(space_first, regex, trim)})
    for behavior in ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            for kind, pattern in (("Regex", digits), ("String", space)):
                yield f"pre_tokenizer Split {kind} {behavior} invert {invert}", pre(split(pattern, behavior, invert), BYTES)
    yield "pre_tokenizer Split of a known pattern, Removed, inverted", pre(
        split({"Regex": make_testdata.LLAMA3}, "Removed", True), BYTES)
    yield "pre_tokenizer of nested steps", pre(sequence("pretokenizers", split(digits, "Isolated")), split(
        {"Regex": "[\u4e00-\u9fff]+"}, "Isolated"), {"type": "Digits", "individual_digits": True}, byte_level(True, True))
    yield "pre_tokenizer Metaspace and ByteLevel", pre(metaspace(), BYTES)
    yield "model merges as strings", model(merges=[" ".join(m) for m in base["model"]["merges"]])
    yield "model ignore_merges", model(ignore_merges=True, merges=base["model"]["merges"][:40])
    yield "model byte_fallback, not needed", model(byte_fallback=True)
    yield "model unk_token and fuse_unk, not needed", model(unk_token="<|endoftext|>", fuse_unk=True)
    yield "model dropout 0, empty prefix and suffix", model(dropout=0.0, continuing_subword_prefix="", end_of_word_suffix="")
    yield "model without type", model(type=None)
    yield "model lacks control characters", model(vocab=lacking(base))
    yield "model with a hole in its ids", {**model(vocab={"zz": 450}), "added_tokens": []}
    number = 405
    for special in (False, True):
        for flag in ("lstrip", "rstrip", "single_word", "normalized"):
            name = {"lstrip": "<left>", "rstrip": "<right>", "single_word": "<word>", "normalized": "<norm>\u00e9"}[flag]
            yield f"added token {flag}, special {special}", tokens(added(number, name, special, **{flag: True}), base=base)
    yield "added token with all flags", tokens(
        added(number, "<left>", lstrip=True, rstrip=True, single_word=True, normalized=True), base=base)
    yield "added tokens of white space", tokens(added(number, "  "), added(number + 1, "\n\n", normalized=True), base=base)
    word = longest_last(base)
    yield "added token of the vocabulary", tokens(added(base["model"]["vocab"][word], word), base=base)
    yield "added special token of the vocabulary", tokens(added(base["model"]["vocab"][word], word, True), base=base)
    yield "no added tokens", {"added_tokens": []}
    yield "post_processor null", {"post_processor": None}
    yield "post_processor TemplateProcessing", {"post_processor": template("<|im_start|>", 401)}
    for kind in ("RobertaProcessing", "BertProcessing"):
        more = {"trim_offsets": True, "add_prefix_space": False} if kind == "RobertaProcessing" else {}
        yield f"post_processor {kind}", {"post_processor": {"type": kind, "sep": ["<|im_end|>", 402], "cls": ["<|im_start|>", 401], **more}}
    yield "post_processor Sequence", {"post_processor": sequence(
        "processors", byte_level(True, True), template("<|endoftext|>", 400))}
    yield "decoder Sequence of ByteLevel", decoders(byte_level(True, True))
    yield "decoder ByteLevel, Fuse, Strip", decoders(byte_level(True, True), FUSE, strip(2))
    yield "truncation and padding", {
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
                    "pad_token": "!"}}


def normalized_tokens(number):
    return [added(i, name, True, normalized=True) for i, name in enumerate(("<unk>", "<s>", "</s>"))] + [
        added(number, "<tool_call>", rstrip=True, normalized=True), added(number + 1, " <left>")]


def used_by_merges(base):
    """Returns an ASCII token that merges make and use."""
    merges = base["model"]["merges"]
    used = {side for merge in merges for side in merge}
    return next(a + b for a, b in merges if a + b in used and (a + b).isascii() and (a + b).isalpha())


def numbered(base, *names):
    """Returns added tokens with the ids that the library gives: those of the vocabulary, then the next ones."""
    vocab = base["model"]["vocab"]
    following = itertools.count(len(vocab))
    return [added(vocab[name] if name in vocab else next(following), name) for name in names]


def lacking(base):
    """Returns a patch of the vocabulary that removes the tokens of three bytes; others get their ids."""
    removed = ["\u0100", "\u0101", "\u0121"]
    return {name: None for name in removed} | {f"zz{i}": base["model"]["vocab"][name] for i, name in enumerate(removed)}


def longest_last(base):
    """Returns the longest ASCII token that no merge uses."""
    used = {side for merge in base["model"]["merges"] for side in merge}
    vocab = sorted(base["model"]["vocab"], key=lambda w: (-len(w), w))
    return next(w for w in vocab if w not in used and w.isascii() and w.isalpha())


def character_cases(base):
    yield "as it is", {}
    gemma = {"normalizer": replace(" ", "\u2581"), "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
             **decoders(replace("\u2581", " "), FALLBACK, FUSE)}
    yield "like Gemma", gemma
    number = len(base["model"]["vocab"])
    yield "like Gemma, with tokens of white space", {**gemma, **tokens(
        *numbered(base, "\n\n", "\u2581\u2581", "\n\n\n"), base=base)}
    for scheme, parts in itertools.product(("always", "first", "never"), (False, True)):
        yield f"pre_tokenizer Metaspace {scheme} split {parts}", {
            "normalizer": None, "pre_tokenizer": metaspace(prepend_scheme=scheme, split=parts)}
    yield "pre_tokenizer Metaspace, older", {"normalizer": None, "pre_tokenizer": metaspace(add_prefix_space=True)}
    yield "pre_tokenizer Digits", {"pre_tokenizer": {"type": "Digits", "individual_digits": True}}
    yield "pre_tokenizer Split, then Metaspace first", {"normalizer": None, **pre(
        split({"Regex": r"\p{N}+|<"}, "Removed"), metaspace(prepend_scheme="first", split=False))}
    yield "normalizer null, no prefix", {"normalizer": None}
    yield "normalizer NFKC", normalizers({"type": "NFKC"}, prepend("\u2581"), replace(" ", "\u2581"))
    yield "model ignore_merges", model(ignore_merges=True, merges=base["model"]["merges"][:20])
    yield "like Gemma, added tokens normalized", {**gemma, "added_tokens": normalized_tokens(number)}
    yield "decoder without ByteFallback", decoders(replace("\u2581", " "), FUSE)
    yield "decoder of one step", {"decoder": replace("\u2581", "")}
    yield "decoder of no steps", decoders()
    yield "decoder Strip of two", decoders(replace("\u2581", " "), FALLBACK, FUSE, strip(2))
    yield "decoder Strip of another character", decoders(FALLBACK, FUSE, strip(3, content="\u2581"))


# What the library loads and we refuse: base, name, patch, error.
def refused_cases(base):
    b, c = base["bytes"], base["characters"]
    unknown = "is not supported; known: "
    norm = unknown + "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence of those"
    pre_known = unknown + "Split, Digits, Metaspace, ByteLevel, Sequence of those"
    for name, step in (("Lowercase", {}), ("StripAccents", {}), ("Nmt", {}), ("ByteLevel", {}),
                       ("Strip", dict(strip_left=True, strip_right=True)),
                       ("BertNormalizer", dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True))):
        yield "bytes", f"normalizer {name}", {"normalizer": {"type": name, **step}}, f"normalizer: type {name} {norm}"
    yield ("bytes", "normalizer Replace of a regular expression", {"normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}},
           'normalizer.pattern: is {"Regex":" {2,}"}; only a String is supported')
    yield ("bytes", "normalizer Replace by nothing", normalizers(replace("a", "")),
           'normalizer.normalizers[0].content: is ""; it must not be empty')
    for name, step in (("Whitespace", {}), ("WhitespaceSplit", {}), ("BertPreTokenizer", {}), ("UnicodeScripts", {}),
                       ("Punctuation", dict(behavior="Isolated")), ("CharDelimiterSplit", dict(delimiter="x")),
                       ("FixedLength", dict(length=5))):
        yield "bytes", f"pre_tokenizer {name}", pre({"type": name, **step}, BYTES), f"pre_tokenizer.pretokenizers[0]: type {name} {pre_known}"
    yield ("bytes", "pre_tokenizer continues after ByteLevel", pre(BYTES, {"type": "Digits", "individual_digits": False}),
           "pre_tokenizer.pretokenizers[1]: is Digits; nothing may follow ByteLevel")
    yield ("bytes", "pre_tokenizer Split of a pattern that may be empty", pre(split({"Regex": "x*"}, "Isolated"), BYTES),
           "pre_tokenizer: regular expression: patterns that can match nothing are not supported")
    yield ("bytes", "pre_tokenizer Split of another dialect", pre(split({"Regex": r"\h+"}, "Isolated"), BYTES),
           r"pre_tokenizer: regular expression: \h at byte 0 is not supported")
    yield ("bytes", "pre_tokenizer Split of nothing", pre(split({"String": ""}, "Isolated"), BYTES),
           "pre_tokenizer.pretokenizers[0].pattern.String: must have 1 to 4096 bytes")
    yield ("characters", "pre_tokenizer Metaspace first after another step and a normalizer",
           pre(split({"String": "a"}, "MergedWithNext"), metaspace(prepend_scheme="first", split=False)),
           "pre_tokenizer.pretokenizers[1]: is Metaspace with prepend_scheme first; with a normalizer, no other step may be before it")
    yield ("bytes", "pre_tokenizer null, without byte_fallback", {"pre_tokenizer": None},
           "model.byte_fallback: is null; it must be true, unless pre_tokenizer ends with ByteLevel, so that every text has tokens"
           if "byte_fallback" not in b["model"] else
           "model.byte_fallback: is false; it must be true, unless pre_tokenizer ends with ByteLevel, so that every text has tokens")
    yield ("bytes", "model dropout", model(dropout=0.5), "model.dropout: is 0.5; it must be null: it makes encoding random")
    yield ("bytes", "model end_of_word_suffix", model(end_of_word_suffix="</w>"),
           'model.end_of_word_suffix: is "</w>"; it must be null or empty')
    yield ("bytes", "model continuing_subword_prefix", model(continuing_subword_prefix="##", merges=[]),
           'model.continuing_subword_prefix: is "##"; it must be null or empty')
    yield ("bytes", "model unk_token that text could give", model(unk_token="<|endoftext|>", vocab=lacking(b)),
           'model.unk_token: is "<|endoftext|>"; it must be null, as model.vocab lacks tokens for 3 bytes')
    yield ("bytes", "model byte_fallback that text could need", model(byte_fallback=True, vocab=lacking(b)),
           "model.byte_fallback: is true; it must be false, as model.vocab lacks tokens for 3 bytes")
    yield ("bytes", "model WordLevel", {"model": {"type": "WordLevel", "unk_token": "!", "merges": None}},
           'model.type: is "WordLevel"; only BPE is supported')
    yield ("bytes", "added token with another id", tokens(added(420, "<x>"), base=b),
           "added_tokens[5].id: is 420, but its position implies 405")
    yield ("bytes", "added token twice", tokens(added(405, "<x>"), added(405, "<x>", True), base=b),
           "added_tokens[6].content: duplicate of an earlier token")
    used = used_by_merges(b)
    yield ("bytes", "added token that other merges use", tokens(added(b["model"]["vocab"][used], used), base=b),
           f"model.merges make token {b['model']['vocab'][used]}, an added token, and make others from it")
    yield ("characters", "added tokens whose names the normalizer changes",
           {"added_tokens": normalized_tokens(len(c["model"]["vocab"]))},
           "added_tokens: token 0 is normalized, and the normalizer changes its name, with which it would be decoded")
    yield ("bytes", "added token of one byte", tokens(added(b["model"]["vocab"]["x"], "x", True), base=b),
           f"added_tokens: token {b['model']['vocab']['x']} is a single byte or character of model.vocab")
    word = longest_last(b)
    yield ("bytes", "added token of the vocabulary, single_word", tokens(added(b["model"]["vocab"][word], word, single_word=True), base=b),
           f"added_tokens: token {b['model']['vocab'][word]} is also made by model.merges or ignore_merges, and is not always "
           "found before them (it is single_word, or the normalizer can make it)")
    yield ("bytes", "post_processor of two templates", {"post_processor": sequence(
        "processors", template("<|endoftext|>", 400), template("<|im_start|>", 401))},
           "post_processor.processors[1]: is a second step that puts tokens around the text: TemplateProcessing")
    yield "bytes", "decoder null", {"decoder": None}, "decoder: is null; without one, tokens would be joined by spaces"
    decoder_known = unknown + "ByteLevel, Replace, ByteFallback, Fuse, Strip, Sequence of those"
    for name, step in (("WordPiece", dict(prefix="##", cleanup=True)), ("BPEDecoder", dict(suffix="</w>")),
                       ("Metaspace", dict(replacement="\u2581", add_prefix_space=True)),
                       ("CTC", dict(pad_token="a", word_delimiter_token="b", cleanup=True))):
        yield "bytes", f"decoder {name}", {"decoder": {"type": name, **step}}, f"decoder: type {name} {decoder_known}"
    order = "the order must be ByteLevel, or Replace and then ByteFallback; then Fuse; then Strip"
    yield ("bytes", "decoder Replace before ByteLevel", decoders(replace("a", "b"), byte_level(True, True)),
           f"decoder.decoders[1]: is ByteLevel; {order}")
    yield ("characters", "decoder Replace after ByteFallback", decoders(FALLBACK, replace("\u2581", " "), FUSE),
           f"decoder.decoders[1]: is Replace; {order}")
    yield ("characters", "decoder Strip of each token", decoders(replace("\u2581", " "), strip()),
           "decoder.decoders[1]: is Strip; it must follow Fuse or ByteLevel")
    yield ("characters", "decoder Strip at the end", decoders(FUSE, strip(0, 1)),
           "decoder.decoders[1].stop: is 1; it must be 0: the end of an answer is not known")
    yield ("characters", "decoder Replace of a regular expression", {"decoder": {"type": "Replace", "pattern": {"Regex": "\u2581+"}, "content": " "}},
           r'decoder.pattern: is {"Regex":"\u2581+"}; only a String is supported')
    yield ("bytes", "decoder of characters for bytes", {"decoder": LLAMA_DECODER}, "decoder: has no ByteLevel, but pre_tokenizer has")
    yield ("characters", "decoder of bytes for characters", {"decoder": byte_level(True, True)},
           "decoder: has a ByteLevel, but pre_tokenizer has not")
    yield ("characters", "model without byte_fallback", model(byte_fallback=False),
           "model.byte_fallback: is false; it must be true, unless pre_tokenizer ends with ByteLevel, so that every text has tokens")
    yield ("characters", "model lacks a byte", model(vocab={"<0x0A>": None, "zz": c["model"]["vocab"]["<0x0A>"]}),
           "model.byte_fallback: is true; model.vocab lacks the token <0x0A>")


def patched(base, patch):
    """Applies a JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


def expected(content):
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    plain = plain_text.without_control_tokens(content)
    ids = {name: [t.encode(text, add_special_tokens=False).ids for text in TEXTS]
           for name, t in (("plain", plain), ("parse", tokenizer))}
    control = {t["id"] for t in content["added_tokens"] if plain_text.is_control(t)}
    assert not control & {i for row in ids["plain"] for i in row}
    return {**ids, "around": tokenizer.encode("", add_special_tokens=True).ids,
            "decoded": [tokenizer.decode(i, skip_special_tokens=False) for i in ids["parse"]],
            "answer": [tokenizer.decode(i, skip_special_tokens=True) for i in ids["parse"]]}


def write_files(folder, bases):
    folder.mkdir(parents=True, exist_ok=True)
    for base, make in (("bytes", byte_cases), ("characters", character_cases)):
        for name, patch in make(bases[base]):
            name = "".join(c if c.isalnum() else "_" for c in f"{base} {name}")
            (folder / f"{name}.json").write_text(json.dumps(patched(bases[base], patch)))


def main():
    bases = {"bytes": bytes_base(), "characters": characters_base()}
    if len(sys.argv) > 1:
        write_files(pathlib.Path(sys.argv[1]), bases)
        return
    cases, firsts = [], {}
    for base, make in (("bytes", byte_cases), ("characters", character_cases)):
        for name, patch in make(bases[base]):
            print(base, name)
            values = expected(patched(bases[base], patch))
            first = firsts.setdefault(base, values)
            rows = {key: [None if values is not first and value == other else value
                          for value, other in zip(values[key], first[key])] for key in KEYS}
            cases.append({"base": base, "name": name, "patch": patch, "around": values["around"], **rows})
    for base, name, patch, error in refused_cases(bases):
        print(base, name)
        Tokenizer.from_str(json.dumps(patched(bases[base], patch)))  # The library loads it.
        cases.append({"base": base, "name": name, "patch": patch, "error": error})
    names = [(c["base"], c["name"]) for c in cases]
    assert len(names) == len(set(names))
    path = pathlib.Path(__file__).parent / "forms.json"
    text = json.dumps({"texts": TEXTS, "bases": bases, "cases": cases}, ensure_ascii=True, separators=(",", ":"))
    path.write_text(text.replace('{"base":', '\n{"base":') + "\n")


if __name__ == "__main__":
    main()

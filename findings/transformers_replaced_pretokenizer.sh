#!/bin/bash
# Hugging Face transformers 5.24.0: AutoTokenizer replaces the pre-tokenizer of tokenizer.json.
#
# A tokenizer.json says completely how a text is tokenized. The guess is that AutoTokenizer
# follows it, above all if tokenizer_config.json asks for the general PreTrainedTokenizerFast.
# But with `"model_type": "qwen2"` in config.json, transformers 5 builds a Qwen2Tokenizer, which
# takes only vocabulary and merges from the file and puts its own pre-tokenizer and normaliser
# in place of the file's. The next save_pretrained writes these into a new tokenizer.json. There
# is no warning, and decoding still gives back the text. `"model_type": "qwen2_moe"` leaves the
# file in force, and so did transformers 4.57.6 for both.
#
# For those who serve such models: a model on a Qwen2 architecture with another tokenizer (here
# one that keeps up to three digits of a dose together) is trained, evaluated or served on other
# token ids than in every program that follows tokenizer.json, and dense and sparse twins of a
# model get different ones. Remedy: load it with PreTrainedTokenizerFast.from_pretrained.
#
# Usage: findings/transformers_replaced_pretokenizer.sh  (needs python3-pip and PyPI; 60 MB)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv --without-pip "$work/venv" || exit 2
python3 -m pip --quiet --python "$work/venv/bin/python" install --no-compile --only-binary :all: \
  transformers==5.24.0 tokenizers==0.23.3 || exit 2
HF_HUB_OFFLINE=1 HF_HOME=$work/home TRANSFORMERS_VERBOSITY=error "$work/venv/bin/python" - "$work" << 'PYTHON'
import json
import os
import sys

import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = "Take 1234567 IU or 2500 mg"
EXPECTED = ["123", "456", "7", "250", "0"]  # Digits in the tokens of TEXT.
SEEN = list("12345672500")

# A byte-level BPE of which numbers are cut into groups of up to three digits, as in Llama 3.
byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
groups = pre_tokenizers.Split(Regex(r"\p{N}{1,3}|\p{L}+|\s+|[^\s\p{L}\p{N}]+"), "isolated")
published = Tokenizer(models.BPE())
published.pre_tokenizer = pre_tokenizers.Sequence([groups, byte_level])
published.decoder = decoders.ByteLevel()
published.train_from_iterator(
    [TEXT] * 20, trainers.BpeTrainer(initial_alphabet=byte_level.alphabet(), show_progress=False,
                                     special_tokens=["<|endoftext|>"]))


def folder(model_type):
    path = os.path.join(sys.argv[1], model_type)
    os.mkdir(path)
    published.save(os.path.join(path, "tokenizer.json"))
    for name, value in (("config.json", {"model_type": model_type}),
                        ("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast",
                                                   "eos_token": "<|endoftext|>"})):
        with open(os.path.join(path, name), "w", encoding="utf-8") as file:
            json.dump(value, file)
    return path


def numbers(tokens):
    return [token for token in tokens if token.isdigit()]


def show(name, tokens):
    print(f"  {name:46} {' '.join(tokens)}")
    return tokens


print(f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}")
print("a good guess: every way to load the folder gives the tokens of its tokenizer.json")
print(f"numbers in the tokens of \"{TEXT}\":")
seen = [show("tokenizers.Tokenizer.from_file", numbers(
    Tokenizer.from_file(os.path.join(folder("qwen2"), "tokenizer.json")).encode(TEXT).tokens))]
qwen2 = os.path.join(sys.argv[1], "qwen2")
seen.append(show("PreTrainedTokenizerFast, model_type qwen2", numbers(
    transformers.PreTrainedTokenizerFast.from_pretrained(qwen2).tokenize(TEXT))))
seen.append(show("AutoTokenizer, model_type qwen2_moe", numbers(
    transformers.AutoTokenizer.from_pretrained(folder("qwen2_moe")).tokenize(TEXT))))
loaded = transformers.AutoTokenizer.from_pretrained(qwen2)
seen.append(show("AutoTokenizer, model_type qwen2", numbers(loaded.tokenize(TEXT))))
saved = os.path.join(sys.argv[1], "saved")
loaded.save_pretrained(saved)
seen.append(show("tokenizers, after save_pretrained of the last", numbers(
    Tokenizer.from_file(os.path.join(saved, "tokenizer.json")).encode(TEXT).tokens)))
print(f"decoded by the last but one: {loaded.decode(loaded.encode(TEXT, add_special_tokens=False))}")

changed = seen != [EXPECTED] * 3 + [SEEN] * 2
print("The behaviour has changed." if changed else
      "As described: model_type qwen2 silently replaces what tokenizer.json says.")
sys.exit(changed)
PYTHON

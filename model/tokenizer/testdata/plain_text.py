"""Hugging Face `tokenizers` as the oracle for text in which no control token is found."""

import copy
import json

from tokenizers import Tokenizer


def is_control(token):
    """Tells if plain text must not give an added token (AddedToken::IsControl)."""
    return token["special"] or not all(c == "\u2581" or c.isspace() for c in token["content"])


def without_control_tokens(description):
    """Returns a tokenizer for plain text: that of a tokenizer.json (as a dictionary), as if its control tokens did not
    exist.

    They keep their ids, but have names that no text contains, and no merge makes them.
    """
    content = copy.deepcopy(description)
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    added = []
    for token in content["added_tokens"]:
        name = token["content"]
        if not is_control(token):
            added.append(token)
            continue
        renamed = f"\U0010fffe{token['id']}\U0010ffff"
        if name in vocab:
            vocab[renamed] = vocab.pop(name)
            merges = [m for m in merges if name not in (m.replace(" ", "", 1) if isinstance(m, str) else "".join(m),)]
        added.append({**token, "content": renamed, "normalized": False})
    content["added_tokens"], content["model"]["merges"] = added, merges
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

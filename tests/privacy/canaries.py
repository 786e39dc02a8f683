"""Canaries: phrases that stand for what a patient says, and the forms in which they could leak."""

import base64
import json
import re
import urllib.parse

# In several scripts. None occurs in any file of the project but this one.
PHRASES = {
    "latin": "zyxwvuts quelm brivax",
    "german": "Fiebermärchenkröte überqualmt",
    "cyrillic": "шурфяжный квокмот",
    "arabic": "ضرغامية قنفوذة",
    "hebrew": "פצקטוש זגרונת",
    "thai": "ฆ้องกวางโฉบฝัน",
    "chinese": "鼯鼱夔魍魉咳",
    "japanese": "ぬぺろうぐ咳嗽ヌヴェ",
    "korean": "뷁쒫뀐풹기침",
    "hindi": "झूपड़फटीला खाँसकट",
    "emoji": "🦑🪠🧌🫎",
}
# Fewer could occur by accident in numbers of a log.
TOKENS = 5


def _base64_core(data):
    """Yields what is the same of the base64 of `data` wherever it stands in a longer text."""
    for skip in range(3):
        whole = base64.b64encode(b"\0" * skip + data)
        # The first character of a skewed text and its last ones depend on the neighbours.
        yield whole[4 if skip else 0:len(whole) // 4 * 4 - 4]


def forms_of(phrase):
    """Returns the bytes of a phrase in each form, by the name of the form."""
    text = phrase.encode()
    forms = {
        "text": text,
        "JSON": json.dumps(phrase)[1:-1].encode(),
        "upper-case text": phrase.upper().encode(),
        "hex": text.hex().encode(),
        "upper-case hex": text.hex().upper().encode(),
        "octal": "".join(chr(b) if 32 <= b < 127 else f"\\{b:03o}" for b in text).encode(),
        "C escapes": "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in text).encode(),
        "percent": urllib.parse.quote(phrase).encode(),
        "UTF-16": phrase.encode("utf-16-le"),
    }
    for number, core in enumerate(_base64_core(text)):
        forms[f"base64 {number}"] = core
    return forms


def token_forms_of(ids):
    """Returns patterns that find TOKENS consecutive token ids in text or in memory, one for each form and place."""
    patterns = {}
    for first in range(0, len(ids) - TOKENS + 1):
        run = ids[first:first + TOKENS]
        decimal = rb"(?<!\d)" + rb"\D{1,3}".join(str(i).encode() for i in run) + rb"(?!\d)"
        words = b"".join(i.to_bytes(4, "little") for i in run)
        patterns[f"token ids from {first}"] = re.compile(decimal)
        patterns[f"words from {first}"] = re.compile(re.escape(words))
    return patterns


class Canaries:
    """What must not be found: phrases, texts of answers, and runs of token ids."""

    def __init__(self):
        self._bytes, self._patterns = {}, {}

    def add_text(self, name, text):
        for form, data in forms_of(text).items():
            if len(data) >= 8:
                self._bytes[f"{name} as {form}"] = data

    def add_tokens(self, name, ids):
        for form, pattern in token_forms_of(list(ids)).items():
            self._patterns[f"{name} as {form}"] = pattern

    def found_in(self, data):
        """Returns the names of the canaries in some bytes, sorted."""
        found = {name for name, form in self._bytes.items() if form in data}
        found |= {name for name, pattern in self._patterns.items() if pattern.search(data)}
        return sorted(found)

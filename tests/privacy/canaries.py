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


def _runs_of(ids):
    """Yields all runs of TOKENS consecutive numbers."""
    for first in range(0, len(ids) - TOKENS + 1):
        yield tuple(ids[first:first + TOKENS])


def _numbers_in(data):
    """Yields lists of decimal numbers with at most three other characters between two neighbours."""
    numbers, end = [], 0
    for match in re.finditer(rb"\d{1,9}", data):
        if match.start() - end > 3 and numbers:
            yield numbers
            numbers = []
        numbers.append(int(match.group()))
        end = match.end()
    yield numbers


class Canaries:
    """What must not be found: phrases, texts of answers, and runs of token ids."""

    def __init__(self):
        self._bytes, self._runs = {}, {}

    def add_text(self, name, text):
        for form, data in forms_of(text).items():
            if len(data) >= 8:
                self._bytes[f"{name} as {form}"] = data

    def add_tokens(self, name, ids):
        for run in _runs_of(list(ids)):
            self._runs.setdefault(run, f"{name} as token ids")
            self._runs.setdefault(b"".join(i.to_bytes(4, "little") for i in run), f"{name} as words")

    def found_in(self, data):
        """Returns the names of the canaries in some bytes, sorted."""
        found = {name for name, form in self._bytes.items() if form in data}
        for numbers in _numbers_in(data):
            found |= {self._runs[run] for run in _runs_of(numbers) if run in self._runs}
        # Memory has zeros; text has none.
        if self._runs and b"\0\0\0" in data:
            width = 4 * TOKENS
            windows = (data[at:at + width] for at in range(len(data) - width + 1))
            found |= {self._runs[window] for window in windows if window in self._runs}
        return sorted(found)

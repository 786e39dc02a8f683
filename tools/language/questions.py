"""Short questions in every language, made from questions/*.txt.

A file has sections:

    [<language>]
    t: <illness>, <illness>, ...       values of {t}
    b: ...                             parts of the body, {b}
    d: ...                             medicines, {d}
    <a question or complaint, with or without slots>
"""

import glob
import os
import re


def load(folder):
    """Returns a mapping of language -> (slots, frames)."""
    result = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.txt"))):
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.strip()
                if not line or line.startswith("# "):
                    continue
                section = re.fullmatch(r"\[([a-z]+)\]", line)
                if section:
                    slots, frames = result.setdefault(section.group(1), ({}, []))
                elif re.match(r"[tbd]: ", line):
                    slots[line[0]] = [t.strip() for t in line[3:].split(", ")]
                else:
                    frames.append(line)
    return result


def texts(slots, frames, latin, international, drugs, rng, count):
    """Yields `count` questions. Those in Latin letters may use international terms and drugs."""
    for _ in range(count):
        text = rng.choice(frames)
        for slot, others in (("t", international), ("b", None), ("d", drugs)):
            while "{%s}" % slot in text:
                choices = slots[slot]
                if others and latin and rng.random() < 0.45:
                    choices = others
                text = text.replace("{%s}" % slot, rng.choice(choices), 1)
        if rng.random() < 0.3:
            text = text.rstrip("?？؟ ")
        if rng.random() < 0.05:
            text += rng.choice((" 500 mg", " 20mg", " 38.5", " 3"))
        yield text

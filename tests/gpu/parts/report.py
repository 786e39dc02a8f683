"""The report: a table for people, JSON for programs."""

import json
import os
import tarfile

from .context import FAILED, NOT_RUN, TIMEOUT

REPORT, RESULTS, LOGS = "report.txt", "results.json", "logs.tar.xz"


def table(rows):
    """Returns lines with aligned columns; the last column is not padded."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def _shown(value):
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def failed(entries):
    """Returns the names of parts that make the run fail; entries: (part, result, seconds)."""
    return [part.name for part, result, _ in entries
            if result.status == FAILED or (result.status in (TIMEOUT, NOT_RUN) and not part.optional)]


def text(entries):
    lines = table([("part", "result", "seconds", "remarks"),
                   *((part.name, r.status, f"{seconds:.1f}", r.note) for part, r, seconds in entries)])
    figures = [(part.name, key, _shown(value)) for part, r, _ in entries for key, value in r.figures.items()]
    if figures:
        lines += ["", *table([("part", "figure", "value"), *figures])]
    return "\n".join(lines) + "\n"


def write(out, entries, head, logs):
    """Writes the files of --out: few and small, so that they are easily copied from the machine."""
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, REPORT), "w", encoding="utf-8") as file:
        file.write(text(entries))
    parts = [{"part": part.name, "status": r.status, "seconds": round(seconds, 2), "note": r.note,
              "figures": r.figures} for part, r, seconds in entries]
    with open(os.path.join(out, RESULTS), "w", encoding="utf-8") as file:
        json.dump({**head, "parts": parts}, file, indent=1)
        file.write("\n")
    with tarfile.open(os.path.join(out, LOGS), "w:xz") as archive:
        archive.add(logs, arcname="logs")

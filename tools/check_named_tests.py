#!/usr/bin/env python3
"""Checks that the tests named in docs/models.md exist.

The last column of each table there is called "tests" and names at least one test in
each row: a case of GoogleTest (`SuiteTest.Case`) or a file (`tools/pack/pack_test.sh`).
Prints what is wrong; exits with 1 if something is.

Usage: tools/check_named_tests.py
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = "docs/models.md"
DEFINITION = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`")


def defined():
    """Returns the names of all cases in the committed and the new tests."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*_test.cc"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    names = set()
    for name in files:
        path = os.path.join(ROOT, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                names.update(f"{suite}.{case}" for suite, case in DEFINITION.findall(f.read()))
    return names


def rows(lines):
    """Yields (line number, last cell) of each row of each table, and (line number, None) of a table without the column."""
    in_table = False
    for number, line in enumerate(lines, 1):
        if not line.startswith("|"):
            in_table = False
            continue
        last = line.strip().strip("|").split("|")[-1].strip()
        if not in_table:
            in_table = True
            if last != "tests":
                yield number, None
        elif set(line) - set("|-"):
            yield number, last


def main():
    with open(os.path.join(ROOT, DOCUMENT), encoding="utf-8") as f:
        lines = f.read().splitlines()
    known = defined()
    wrong = []
    checked = 0
    for number, cell in rows(lines):
        if cell is None:
            wrong.append(f"{DOCUMENT}:{number}: the last column must be \"tests\"")
            continue
        names = NAME.findall(cell)
        if not names:
            wrong.append(f"{DOCUMENT}:{number}: the row names no test")
        for name in names:
            checked += 1
            if name not in known and not ("/" in name and os.path.isfile(os.path.join(ROOT, name))):
                wrong.append(f"{DOCUMENT}:{number}: there is no test {name}")
    if checked == 0:
        wrong.append(f"{DOCUMENT}: no test is named")
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

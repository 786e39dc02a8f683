#!/usr/bin/env python3
"""Finds C++ files and functions that are too long.

A file may have 600 lines, and the body of a function 70. Functions of tests and
data may be longer, files may not.

Usage: tools/check_lengths.py [--longest N]
  --longest N  print the N longest functions instead
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_FILE_LINES = 600
MOST_FUNCTION_LINES = 70

# In clang-format's Google style, a body begins with a line that ends in "{" and
# does not begin with a space or a closing bracket, and ends with "}" at the margin.
NOT_A_FUNCTION = re.compile(
    r"^(namespace|extern|struct|class|enum|union|template|#|//|\}|using|const|constexpr|"
    r"inline constexpr|static const|TEST|HWY_BEFORE)")


def functions(lines):
    """Yields (name, first line, lines) of each function at the margin."""
    start, name = None, ""
    head = []
    for number, line in enumerate(lines, 1):
        if start is None:
            if line.startswith((" ", "\t")):
                if head:
                    head.append(line)
                    if line.rstrip().endswith("{"):
                        start = number
                        name = " ".join(head)
                continue
            head = []
            if NOT_A_FUNCTION.match(line) or not line.strip():
                continue
            if line.rstrip().endswith((";", ":", "}")):
                continue
            head = [line]
            if line.rstrip().endswith("{"):
                start, name = number, line
        elif line.startswith("}"):
            match = re.search(r"([\w:~]+)\(", name)
            yield (match.group(1) if match else name.strip()[:60], start, number - start - 1)
            start, head = None, []


def main():
    longest = int(sys.argv[2]) if sys.argv[1:2] == ["--longest"] else 0
    if sys.argv[1:] and not longest:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    paths = subprocess.run(
        ["git", "ls-files", "*.cc", "*.h", "*.cu"], cwd=ROOT, text=True, check=True,
        stdout=subprocess.PIPE).stdout.split()
    wrong, found = [], []
    for path in paths:
        if path.startswith("third_party/"):
            continue
        try:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                lines = file.readlines()
        except FileNotFoundError:
            continue
        if len(lines) > MOST_FILE_LINES:
            wrong.append(f"{path}: {len(lines)} lines, more than {MOST_FILE_LINES}")
        if path.endswith("_test.cc"):
            continue
        for name, start, count in functions(lines):
            found.append((count, path, start, name))
            if count > MOST_FUNCTION_LINES:
                wrong.append(f"{path}:{start}: {name} has {count} lines, more than "
                             f"{MOST_FUNCTION_LINES}")
    if longest:
        for count, path, start, name in sorted(found, reverse=True)[:longest]:
            print(f"{count:4d}  {path}:{start}  {name}")
        return 0
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

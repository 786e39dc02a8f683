"""The logs of a cluster's processes.

NAME.log is that of the last start of the cluster, NAME.log.1 that of the start before, and so on.
"""

import contextlib
import os
import re

from . import layout

OLDER = 3  # Logs of earlier starts that are kept, for each process.
MOST_BYTES = 64 << 20  # Older logs keep only their ends.
PATTERN = re.compile(layout.NAME + r"\.log(\.[1-9])?")


def rotate_all(folder):
    """Begins new logs for all processes that have one in a folder."""
    for file in os.listdir(folder):
        found = PATTERN.fullmatch(file)
        if found and not found[2]:
            rotate(layout.log_file(folder, found[1]))


def rotate(log):
    """Makes a log the first of the older ones. Nothing may be writing to it."""
    for number in range(OLDER, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{log}.{number - 1}" if number > 1 else log, f"{log}.{number}")
    with contextlib.suppress(FileNotFoundError):
        _keep_end(log + ".1")


def _keep_end(path):
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size <= MOST_BYTES:
            return
        file.seek(size - MOST_BYTES)
        file.readline()  # A part of a line.
        end = file.read()
        file.seek(0)
        file.write(end)
        file.truncate()

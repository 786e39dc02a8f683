"""The files of a cluster's folder: process ids, addresses, and the options of one that outlives its starter.

NAME.pid holds a process id and when that process started, NAME.address its addresses, NAME.log its log. What is here
lets any later process find the cluster.
"""

import contextlib
import fcntl
import glob
import json
import os
import time

from . import layout, processes
from .failure import Failure

PROCESSES = ("expert-worker-*", "dense-worker-*", "router*", "local")
LOCK_SECONDS = 60


def write_pid(folder, name, handle):
    with open(os.path.join(folder, name + ".pid"), "w", encoding="utf-8") as file:
        file.write(f"{handle.pid} {handle.started}\n")


def read_handles(folder):
    """The processes of a folder by name, those first that others need."""
    found = {}
    for pattern in PROCESSES:
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern + ".pid"))):
            with open(path, encoding="utf-8") as file:
                words = file.read().split()
            if len(words) != 2 or not words[0].isdigit():
                raise Failure(f"{path}: no process id and start time")
            found[os.path.basename(path)[:-len(".pid")]] = processes.Handle(int(words[0]), words[1])
    return found


def read_address(folder, name, kind):
    """None if the process has not written it yet."""
    with contextlib.suppress(FileNotFoundError):
        with open(layout.address_file(folder, name), encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) == 2 and words[0] == kind:
                    return words[1]
    return None


def settings_file(folder):
    return os.path.join(folder, "settings")


def write_settings(folder, settings):
    with open(settings_file(folder), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=1)


def read_settings(folder):
    """Options by name; none if the folder has no such file."""
    try:
        with open(settings_file(folder), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure(f"{settings_file(folder)}: {error}") from None


def remove(folder, logs):
    """Removes what the cluster wrote there; its logs, and the folder if that was all, only on demand."""
    kinds = ("pid", "address", "log") if logs else ("pid", "address")
    patterns = [f"{process}.{kind}" for process in PROCESSES for kind in kinds]
    for pattern in [*patterns, "*_workers.list", "settings", "health.log"]:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            os.remove(path)
    if logs:
        with contextlib.suppress(OSError):  # Somebody else's files are in it.
            os.rmdir(folder)


@contextlib.contextmanager
def locked(folder):
    """Nobody else changes the cluster of this folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Failure(f"another cluster.sh is at work on {folder}") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)

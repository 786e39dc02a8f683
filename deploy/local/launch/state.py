"""The files of a cluster's folder: process ids, addresses, and the options of a cluster that outlives its starter.

NAME.pid has the id and start time of a process, NAME.address its addresses, NAME.log its log. With these files any
later process can find the cluster.
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
    """Returns the processes of a folder by name, in the order of their dependencies."""
    found = {}
    for pattern in PROCESSES:
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern + ".pid"))):
            with open(path, encoding="utf-8") as file:
                words = file.read().split()
            if len(words) != 2 or not words[0].isdigit():
                raise Failure(f"{path}: it must contain a process id and a start time")
            found[os.path.basename(path)[:-len(".pid")]] = processes.Handle(int(words[0]), words[1])
    return found


def read_address(folder, name, kind):
    """Returns an address of a process, or None if the process has not written it yet."""
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
    """Returns the options by name; empty if the folder has no such file."""
    try:
        with open(settings_file(folder), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure(f"{settings_file(folder)}: {error}") from None


def remove(folder, logs):
    """Removes the files of the cluster. With `logs`, also removes the logs, and the folder if it is empty then."""
    kinds = ("pid", "address", "log") if logs else ("pid", "address")
    patterns = [f"{process}.{kind}" for process in PROCESSES for kind in kinds]
    for pattern in [*patterns, "*_workers.list", "settings", "health.log"]:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            os.remove(path)
    if logs:
        with contextlib.suppress(OSError):  # It contains other files.
            os.rmdir(folder)


@contextlib.contextmanager
def locked(folder):
    """Locks the cluster of a folder against changes by other processes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Failure(f"another cluster.sh is using {folder}") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)

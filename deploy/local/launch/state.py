"""The files of a cluster's folder: process ids, addresses, and the options of a cluster that outlives its starter.

NAME.pid has the id and start time of a process, NAME.address its addresses. With these files any later process can find
the cluster. "settings" exists once all processes have been healthy. The end of the cluster removes these files, and
leaves its logs (logs.py) and its ports (ports.py).
"""

import contextlib
import fcntl
import json
import os
import re
import time

from . import layout, processes
from .failure import Failure

ROLES = ("expert-worker", "dense-worker", "router", "local")  # In the order of their dependencies.
SUPERVISOR = "supervisor"
_PID = re.compile(layout.NAME + r"\.pid")
# With those that were being written when their writer was killed.
_RUNNING = re.compile(layout.NAME + r"\.(pid|address)(\.new|\.partial)?|"
                      r"((expert|dense)_workers\.list|settings|history)(\.new)?|ports\.new")
LOCK_SECONDS = 60


class Busy(Failure):
    """Another process has locked the cluster."""


def write(path, text):
    """Replaces a file. No reader ever finds a part of it."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def pid_file(folder, name):
    return os.path.join(folder, name + ".pid")


def write_pid(folder, name, handle):
    write(pid_file(folder, name), f"{handle.pid} {handle.started}\n")


def read_handles(folder, broken=None):
    """Returns the processes of a folder by name, in the order of their dependencies, without the supervisor.

    `broken` is called with the path of each file that has no process id and start time. Without it, they are a Failure.
    """
    names = [found[1] for found in map(_PID.fullmatch, _files(folder)) if found and found[1] != SUPERVISOR]
    handles = {}
    for name in sorted(names, key=lambda name: (ROLES.index(layout.role_of(name)), len(name), name)):
        path = os.path.join(folder, name + ".pid")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                words = file.read().split()
        except FileNotFoundError:  # The cluster has been stopped meanwhile.
            continue
        if len(words) == 2 and words[0].isdigit():
            handles[name] = processes.Handle(int(words[0]), words[1])
        elif broken is not None:
            broken(path)
        else:
            raise Failure(f'{path}: it must contain a process id and a start time: run "down" first, '
                          "or remove this file")
    return handles


def read_supervisor(folder):
    """Returns the process that supervises the cluster, or None if there has been none since its start."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        with open(os.path.join(folder, SUPERVISOR + ".pid"), encoding="utf-8", errors="replace") as file:
            pid, started = file.read().split()
            return processes.Handle(int(pid), started)
    return None


def _files(folder):
    """Returns the names of the files in a folder; none if there is no such folder."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def read_address(folder, name, kind):
    """Returns an address of a process, or None if the process has not written it yet."""
    with contextlib.suppress(FileNotFoundError):
        with open(layout.address_file(folder, name), encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) == 2 and words[0] == kind:
                    return words[1]
    return None


def write_settings(folder, names, options):
    """Records the names of a cluster's processes and the options that it was started with."""
    write(os.path.join(folder, "settings"), json.dumps({**options, "processes": list(names)}, indent=1))


def read_settings(folder):
    """Returns the options by name, and the names as "processes".

    Returns {} if there is no file "settings", and None if this version of cluster.sh has not written it.
    """
    try:
        with open(os.path.join(folder, "settings"), encoding="utf-8") as file:
            settings = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError:
        return None
    return settings if isinstance(settings, dict) and isinstance(settings.get("processes"), list) else None


def remove(folder):
    """Removes the files of a cluster that has ended."""
    for name in _files(folder):
        if _RUNNING.fullmatch(name):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))


@contextlib.contextmanager
def locked(folder, create, seconds=LOCK_SECONDS):
    """Locks the cluster of a folder against changes by other processes.

    If there is no such folder, creates it, or, without `create`, does nothing. Raises Busy if another process keeps it
    locked for `seconds`.
    """
    descriptor = _lock(folder, create, seconds)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(folder, create, seconds):
    end = time.monotonic() + seconds
    while True:
        if create:
            os.makedirs(folder, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            if create:  # Another process has removed it since.
                continue
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                return descriptor
        except FileNotFoundError:  # This descriptor locks a removed folder.
            pass
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(descriptor)
                raise Busy(f"another cluster.sh is using {folder}") from None
            time.sleep(0.1)
        os.close(descriptor)

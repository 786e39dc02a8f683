"""This project's programs, as a cluster on free ports of this machine, for as long as a benchmark needs it."""

import os
import subprocess
import tempfile
import time

from launch import cluster, layout

from . import memory
from .failure import Failure

START_SECONDS = 300
STOP_SECONDS = 15


class Cluster:
    """With `expert_workers` 0 all roles in one process; else a router, a dense worker and that many expert workers.

    A context manager: leaving it ends all its processes. `flags` go to all processes that compute.
    `cpu` limits the kernels' instructions (APOLLO_CPU_LEVEL).
    """

    def __init__(self, binaries, model, threads, expert_workers=0, flags=(), cpu=None):
        self._layout = layout.Layout(model, binaries, expert_workers=expert_workers,
                                     worker_flags=[f"--threads={threads}", *flags])
        self._environment = {"APOLLO_CPU_LEVEL": cpu} if cpu else {}
        self._folder = self._cluster = None
        self.address = None
        self.ready_seconds = None

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self._cluster = cluster.Cluster(self._layout, self._folder.name, environment=self._environment)
        try:
            begin = time.monotonic()
            self._cluster.start(START_SECONDS)
            self.ready_seconds = time.monotonic() - begin
        except BaseException:
            self.__exit__()
            raise
        self.address = self._cluster.address(self._layout.fronts()[0])
        return self

    def __exit__(self, *_):
        self._cluster.stop_all(STOP_SECONDS)
        self._folder.cleanup()

    def pids(self):
        return self._cluster.pids()

    def memory(self):
        """Returns the bytes of all processes together; see memory.py."""
        return memory.of_processes(self.pids())


class StandInRouter(Cluster):
    """A router alone, before a dense worker that somebody else started."""

    def __init__(self, binaries, model, dense_worker):
        super().__init__(binaries, model, threads=1)
        self._layout = layout.Layout(model, binaries, dense_addresses=[dense_worker])


def knows_flag(binaries, flag):
    """Returns whether the workers of these binaries have a flag."""
    program = os.path.join(binaries, layout.ALL_ROLES)
    try:
        # Abseil's --helpfull ends with exit status 1.
        text = subprocess.run([program, "--helpfull"], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise Failure(f"cannot run {program}: {error.strerror}") from None
    return f"--{flag} " in text

"""One process: starting, observing and stopping it.

A process is either bound to this one or detached. The kernel kills a bound process as soon as this process ends in
any way, including SIGKILL; its own children may remain. A detached process outlives this one.
"""

import contextlib
import os
import signal
import subprocess
import time

from .failure import Failure

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def start(argv, bound=True, **options):
    """Starts a program in its own session, so that it gets no Ctrl-C from the terminal; `options` are those of Popen.

    Call it in the main thread: a bound process ends with the thread that started it.
    """
    try:
        return subprocess.Popen(argv, start_new_session=True, preexec_fn=_binder() if bound else None, **options)
    except OSError as error:
        raise Failure(f"cannot run {argv[0]}: {error.strerror}") from None


def _binder():
    """Returns a function that a new process calls, before it runs its program, to bind itself to this one."""
    import ctypes  # Only bound processes need it. pylint: disable=import-outside-toplevel
    libc, parent = ctypes.CDLL(None), os.getpid()

    def bind():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # The parent has ended.
            os._exit(127)  # pylint: disable=protected-access
    return bind


def stop(process, seconds=15):
    """Stops a process of start(), kills it if it does not end, and then kills any remaining children."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # start() made it the leader of a group.


def _stat(pid):
    """Returns the state and start time of a process, or None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The fields after the program's name, which is in brackets and may contain anything.
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], fields[19]


class Handle:
    """A process, identified by its id and start time, because the system may reuse the id.

    `child`: the result of start(), if this process started it.
    """

    def __init__(self, pid, started, child=None):
        self.pid, self.started, self.child = pid, started, child

    @classmethod
    def of_child(cls, child):
        found = _stat(child.pid)
        return cls(child.pid, found[1] if found else "0", child)

    @classmethod
    def of_this(cls):
        return cls(os.getpid(), _stat(os.getpid())[1])

    def age(self):
        """Returns the seconds since the start, or None if the process is not running."""
        if not self.running() or not self.started.isdigit():
            return None
        with open("/proc/uptime", encoding="utf-8") as file:
            now = float(file.read().split()[0])
        return max(0, now - int(self.started) / os.sysconf("SC_CLK_TCK"))

    def running(self):
        if self.child is not None:
            return self.child.poll() is None
        # A zombie is not running; there may be no parent to collect it.
        found = _stat(self.pid)
        return found is not None and found[1] == self.started and found[0] not in "ZX"

    def signal(self, number):
        """Sends a signal if the process is running."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds=None):
        """Waits for the end. Returns False if the process is still running after `seconds`."""
        if self.child is not None:
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        end = None if seconds is None else time.monotonic() + seconds
        while self.running():
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(0.05)
        return True

    @property
    def exit_code(self):
        """The exit code of a process that has ended; 128 + the signal if one ended it; None if this did not start it."""
        if self.child is None:
            return None
        code = self.child.returncode
        return code if code is None or code >= 0 else 128 - code

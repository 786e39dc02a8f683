"""A process that begins as a part of a command and outlives it."""

import os
import signal
import sys


def run(begin, log):
    """Calls begin() in a new process, and continues there with the function that it returns, if any.

    Returns 0 in this process once begin() has returned, or the new process's exit code if it has ended before. In the
    new process returns 0 at its end. From the return of begin() on, its output goes to the file `log`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        os.setsid()
        after = begin()
        sys.stdout.flush()
        if after is not None:
            _redirect(log)
        os.write(writable, b"+")
        os.close(writable)
        if after is not None:
            after()
        return 0
    os.close(writable)
    return 0 if _begun(readable, child) else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _begun(readable, child):
    """Waits for a new process. An interruption of this process is one of the new process, which has its own session."""
    while True:
        try:
            return os.read(readable, 1) != b""
        except KeyboardInterrupt:
            os.kill(child, signal.SIGTERM)


def _redirect(log):
    files = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(files[0], 0)
    os.dup2(files[1], 1)
    os.dup2(files[1], 2)
    for file in files:
        os.close(file)

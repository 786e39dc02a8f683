"""Programs that end together with the script.

If the script is killed by SIGKILL, only its direct children end with it; their children may remain, and may remain
stopped (LineProcess).
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile

from launch.processes import start, stop

from . import memory
from .failure import Failure

def output(argv, environment=None):
    """Runs a program and returns its output. Shows its standard error if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        process = start(argv, stdout=subprocess.PIPE, stderr=errors, text=True,
                        env={**os.environ, **(environment or {})})
        try:
            out, _ = process.communicate()
        finally:
            stop(process)
        if process.returncode != 0:
            errors.seek(0)
            raise Failure(f"{argv[0]} failed ({process.returncode}):\n{errors.read()[-2000:]}")
    return out


class LineProcess:
    """A program that prints one line of JSON at start, and one in response to each line on its standard input.

    With `stopped`, it and its descendants are stopped (SIGSTOP) between responses: some programs wait by spinning, and
    would take CPU time from the next measurement.
    """

    def __init__(self, argv, environment=None, stopped=False):
        self.stopped = stopped
        self.errors = tempfile.TemporaryFile("w+")  # pylint: disable=consider-using-with
        self.name = os.path.basename(argv[-1] if len(argv) == 1 else argv[1])
        self.process = start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                             text=True, env={**os.environ, **(environment or {})})
        try:
            self.head = self._read()
            if self.stopped:
                self._signal(signal.SIGSTOP)
        except BaseException:
            self.close()
            raise

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):  # Libraries print, too.
                answer = json.loads(line)
                if "error" in answer:
                    raise Failure(f"{self.name}: {answer['error']}")
                return answer
        self.errors.seek(0)
        raise Failure(f"{self.name} ended:\n{self.errors.read()[-2000:]}")

    def _signal(self, number):
        for pid in memory.with_descendants([self.process.pid]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def ask(self, line):
        if self.stopped:
            self._signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):  # It has ended; reading shows the reason.
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        answer = self._read()
        if self.stopped:
            self._signal(signal.SIGSTOP)
        return answer

    def close(self):
        if self.stopped and self.process.poll() is None:
            self._signal(signal.SIGCONT)
        stop(self.process)
        with contextlib.suppress(BrokenPipeError):  # Unread input.
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

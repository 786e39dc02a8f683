"""Programs that end when the script does.

If the script is killed by SIGKILL, only what it started itself ends with it; what those programs started in turn may stay,
and stay stopped (LineProcess).
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
    """Runs a program to its end; what it printed. Its standard error is shown if it fails."""
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
    """A program that answers each line on its standard input with one of JSON. First comes one unasked.

    With `stopped` it and all that it started are stopped (SIGSTOP) between its answers: some wait by spinning, and
    would take processors from whoever is measured next.
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
        with contextlib.suppress(BrokenPipeError):  # It has ended; reading tells why.
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
        with contextlib.suppress(BrokenPipeError):  # What it did not read any more.
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

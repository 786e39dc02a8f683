"""The environment of all parts: the bundle, the device, the time that is left."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

PASSED, FAILED, SKIPPED, TIMEOUT, NOT_RUN = "passed", "FAILED", "SKIPPED", "TIMEOUT", "NOT RUN"


@dataclasses.dataclass
class Result:
    """The outcome of a part. `figures` are for the report, by name; `note` says why it did not pass."""
    status: str
    note: str = ""
    figures: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    """The end of a program; code: its exit status, or None if its time was over."""
    code: int | None
    text: str
    seconds: float

    @property
    def last_line(self):
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else "no output"


def failure(outcome):
    """Returns the result of a program that did not end with 0."""
    if outcome.code is None:
        return Result(TIMEOUT, f"stopped after {outcome.seconds:.0f} s")
    return Result(FAILED, f"exit code {outcome.code}: {outcome.last_line}")


def _show_only(device):
    """Returns the variables with which programs see a GPU as their first one, the only one that some of them use."""
    index = 0 if device == "cpu" else int(device.removeprefix("cuda:"))
    if index == 0:
        return {}
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = shown.split(",")[index:] if shown else [str(index)]
    return {"CUDA_VISIBLE_DEVICES": names[0] if names else ""}


USUAL_SECONDS = 350  # Of the whole; the limits of the parts are made for it.


class Context:
    """root: the unpacked bundle. folder: where logs and temporary files go. `seconds`: for the whole. If they are more
    than usual, as on a slow machine, the limits of the parts grow with them.

    `device` is as programs see it: "cpu", or "cuda:0" for each "cuda:N".
    """

    def __init__(self, root, folder, device, seconds, manifest):
        self.root, self.folder, self.manifest = root, folder, manifest
        self.device, self._shown = "cpu" if device == "cpu" else "cuda:0", _show_only(device)
        self.end = time.monotonic() + seconds
        self._patience = max(1.0, seconds / USUAL_SECONDS)
        self.libraries = []  # Folders with CUDA's libraries.
        self.figures = {}  # Of the parts that have run.
        os.makedirs(os.path.join(folder, "logs"), exist_ok=True)

    @property
    def on_gpu(self):
        return self.device != "cpu"

    @property
    def left(self):
        return max(0.0, self.end - time.monotonic())

    def program(self, path):
        return os.path.join(self.root, path)

    def has(self, path):
        return os.path.exists(self.program(path))

    def environment(self, **more):
        paths = [*self.libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return {**os.environ, "REQUIRE_GPU": "1", "APOLLO_TEST_DEVICE": self.device, "APOLLO_PYTHON": sys.executable,
                "TEST_TMPDIR": self.folder, "TMPDIR": self.folder, **self._shown,
                **({"LD_LIBRARY_PATH": ":".join(paths)} if paths else {}), **more}

    def limit(self, seconds):
        """Returns the limit here of what takes at most that long in a usual run."""
        return seconds * self._patience

    def run(self, name, argv, limit, **environment):
        """Runs a program in the bundle's root, with all that it starts, for at most `limit` seconds, of a usual run. Keeps its
        log."""
        limit = min(self.limit(limit), self.left)
        begin = time.monotonic()
        path = os.path.join(self.folder, "logs", name + ".log")
        with open(path, "wb") as log:
            # Not a context manager, which would wait for ever for a program that hangs in the driver.
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                argv, cwd=self.root, env=self.environment(**environment), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        with open(path, encoding="utf-8", errors="replace") as log:
            return Outcome(code, log.read(), time.monotonic() - begin)


def _end(process):
    """Ends a program and what it has started: politely, then by force."""
    for number, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        if not _group_alive(process.pid):
            return


def _group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

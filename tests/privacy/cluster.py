"""A cluster of real processes whose every output is kept in one folder."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "ports"))
from stable_ports import stable_port  # noqa: E402

SECONDS = 120  # More than anything here takes on a busy machine.
EXPERTS = 7  # Of the model.


def _allow_core_dumps():
    """As far as the machine's limit goes, so that a program that does not forbid them is caught."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Cluster:
    """Two routers, two dense workers and two expert workers, or fewer. Their temporary and working folders are in
    `folder`, too."""

    def __init__(self, binaries, model, folder):
        self.binaries, self.model, self.folder = binaries, model, pathlib.Path(folder)
        self.processes, self.commands, self.ports = {}, {}, {}
        self.ended = []  # (name, exit code)
        for name in ("home", "tmp", "work"):
            (self.folder / name).mkdir()

    def start(self, name, program, *flags):
        self._port(name)
        self.commands[name] = [os.path.join(self.binaries, program), f"--model={self.model}", f"--name={name}",
                               f"--listen=127.0.0.1:{self.ports[name]}",
                               f"--address_file={self.folder}/{name}.address", *flags]
        self.run(name)

    def run(self, name):
        """Starts a process, maybe again."""
        (self.folder / f"{name}.address").unlink(missing_ok=True)
        # gRPC would trace what it sends.
        environment = dict(os.environ, HOME=str(self.folder / "home"), TMPDIR=str(self.folder / "tmp"),
                           GRPC_TRACE="all", GRPC_VERBOSITY="debug")
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name], stdout=log, stderr=log, cwd=self.folder / "work", env=environment,
                preexec_fn=_allow_core_dumps)

    def _port(self, name):
        """Chooses the port of a process, unless it has one."""
        if name not in self.ports:
            self.ports[name] = stable_port()

    def _list(self, prefix, count):
        names = [f"{prefix}-{i}" for i in range(count)]
        for name in names:
            self._port(name)
        return ",".join(f"127.0.0.1:{self.ports[name]}" for name in names)

    def start_all(self, router_flags=(), dense_flags=(), expert_flags=(), all_flags=()):
        experts, dense = self._list("expert-worker", 2), self._list("dense-worker", 2)
        for i in range(2):
            mine = ",".join(str(e) for e in range(EXPERTS) if e % 2 == i)
            self.start(f"expert-worker-{i}", "expert_worker/expert_worker", f"--expert_workers={experts}",
                       f"--experts={mine}", "--threads=1", *expert_flags, *all_flags)
        for i in range(2):
            self.start(f"dense-worker-{i}", "dense_worker/dense_worker", f"--expert_workers={experts}", "--threads=1",
                       *dense_flags, *all_flags)
        for i in range(2):
            flags = [flag.replace("NAME", f"router-{i}") for flag in router_flags]
            self.start(f"router-{i}", "router/router", f"--dense_workers={dense}", *flags, *all_flags)

    def addresses(self, name):
        """Returns the addresses of gRPC and of metrics."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                words = (self.folder / f"{name}.address").read_text().split()
                return words[1], words[3]
            except (OSError, IndexError):
                if self.processes[name].poll() is not None:
                    raise RuntimeError(f"{name} has ended: {self.log(name)[-2000:]}") from None
                time.sleep(0.05)
        raise RuntimeError(f"{name} does not listen: {self.log(name)[-2000:]}")

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="surrogateescape")

    def kill(self, name, number=signal.SIGKILL):
        """Ends a process by a signal, and waits for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        code = process.wait(SECONDS)
        self.ended.append((name, code))
        return code

    def stop(self):
        """Asks all to stop, and kills those that do not."""
        for process in self.processes.values():
            process.terminate()
        for name in list(self.processes):
            try:
                self.processes[name].wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.processes[name].kill()
                self.processes[name].wait()
            self.ended.append((name, self.processes.pop(name).returncode))

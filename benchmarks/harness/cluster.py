"""This project's programs, as a cluster on free ports of this machine."""

import os
import subprocess
import tempfile
import time

from . import memory, processes
from .failure import Failure

START_SECONDS = 300


class Cluster:
    """With `expert_workers` 0 all roles in one process; else a router, a dense worker and so many expert workers.

    A context manager: leaving it ends all its processes. `flags` go to all processes that compute.
    Expert e is on worker e modulo their number. `cpu` limits the kernels' instructions (APOLLO_CPU_LEVEL).
    """

    def __init__(self, binaries, model, threads, expert_workers=0, flags=(), cpu=None):
        self.binaries, self.model = binaries, model
        self.flags = [f"--threads={threads}", *flags]
        self.expert_workers = expert_workers
        self.environment = {**os.environ, **({"APOLLO_CPU_LEVEL": cpu} if cpu else {})}
        self.processes = []
        self.folder = None
        self.address = None
        self.ready_seconds = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        try:
            begin = time.monotonic()
            self._start()
            self._wait_until_healthy()
            self.ready_seconds = time.monotonic() - begin
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):  # The router first: it needs the others.
            processes.stop(process)
        self.folder.cleanup()

    def _start(self):
        if self.expert_workers == 0:
            self.address = self.launch("deploy/local/apollo_local", "local", self.flags)
            return
        members = os.path.join(self.folder.name, "experts.list")
        with open(members, "w", encoding="utf-8"):
            pass
        experts = memory.read_config(self.model)["num_experts"]
        started = []
        for worker in range(self.expert_workers):
            own = ",".join(str(e) for e in range(worker, experts, self.expert_workers))
            started.append(self._spawn("expert_worker/expert_worker", f"expert-{worker}",
                                       [f"--experts={own}", f"--expert_workers=file:{members}",
                                        f"--name=expert-{worker}", *self.flags]))
        started.append(self._spawn("dense_worker/dense_worker", "dense",
                                   [f"--expert_workers=file:{members}", *self.flags]))
        addresses = [self._await_address(*one) for one in started]
        with open(members + ".new", "w", encoding="utf-8") as file:
            file.write("".join(address + "\n" for address in addresses[:-1]))
        os.rename(members + ".new", members)
        self.address = self.launch("router/router", "router", [f"--dense_workers={addresses[-1]}"])

    def launch(self, program, name, flags):
        """Starts one more process; its address."""
        return self._await_address(*self._spawn(program, name, flags))

    def _file(self, name):
        return os.path.join(self.folder.name, name)

    def _spawn(self, program, name, flags):
        argv = [os.path.join(self.binaries, program), f"--model={self.model}", "--listen=127.0.0.1:0",
                "--metrics_listen=127.0.0.1:0", f"--address_file={self._file(name)}", *flags]
        with open(self._file(name + ".log"), "w", encoding="utf-8") as log:
            process = processes.start(argv, stderr=log, env=self.environment)
        self.processes.append(process)
        return process, name

    def _await_address(self, process, name):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if os.path.exists(self._file(name)):
                with open(self._file(name), encoding="utf-8") as file:
                    return dict(line.split() for line in file)["grpc"]
            if process.poll() is not None:
                break
            time.sleep(0.02)
        with open(self._file(name + ".log"), encoding="utf-8") as log:
            raise Failure(f"{' '.join(process.args)} did not start:\n{log.read()[-2000:]}")

    def _wait_until_healthy(self):
        processes.output([os.path.join(self.binaries, "tools/apollo/apollo"), "--server", self.address,
                          "health", "--wait", str(START_SECONDS)])

    def memory(self):
        """Bytes of all processes together; see memory.py."""
        return memory.of_processes([process.pid for process in self.processes])


class StandInRouter(Cluster):
    """A router alone, before a dense worker that somebody else started."""

    def __init__(self, binaries, model, dense_worker):
        super().__init__(binaries, model, threads=1)
        self.dense_worker = dense_worker

    def _start(self):
        self.address = self.launch("router/router", "router", [f"--dense_workers={self.dense_worker}"])


def knows_flag(binaries, flag):
    """Whether the workers of these binaries have a flag."""
    program = os.path.join(binaries, "deploy/local/apollo_local")
    try:
        # Abseil's --helpfull ends with exit status 1.
        text = subprocess.run([program, "--helpfull"], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise Failure(f"cannot run {program}: {error.strerror}") from None
    return f"--{flag} " in text

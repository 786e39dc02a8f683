"""The processes of one cluster: starting all, waiting until they serve, stopping and restarting one."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

from . import layout as layouts
from . import certificates, ports, processes, signals, state
from .failure import Failure

POLL_SECONDS = 0.02
LOG_LINES = 15


class Cluster:
    """Processes of a layout, with their files in the folder `folder`. Single-threaded.

    bound: they are killed at the latest when this process ends in any way; otherwise they outlive it.
    environment: additional environment variables for them.
    own_host_ids: each gets its own NCCL_HOSTID, so that NCCL takes them for different hosts. Otherwise it refuses two
    processes on one GPU.
    report: called with a line about each start.
    keep_ports: a process that is started again has its old ports, if they are free.
    """

    def __init__(self, layout, folder, bound=True, environment=None, report=lambda line: None, own_host_ids=False,
                 keep_ports=False):
        self.layout, self.folder, self.bound, self.report = layout, os.path.abspath(folder), bound, report
        self.own_host_ids, self.keep_ports = own_host_ids, keep_ports
        self.environment = {**os.environ, **(environment or {})}
        self.handles = {}  # By name, in the order of their dependencies.

    # --- Starting ---

    def start(self, seconds):
        """Starts all and waits until all serve. After a Failure, call stop_all or kill_all."""
        end = time.monotonic() + seconds
        os.makedirs(self.folder, exist_ok=True)
        self._write_list("expert_workers", [])
        self._write_list("dense_workers", self.layout.dense_addresses)
        for name in self.layout.names():
            self.launch(name)
        self._await_addresses(self.layout.names(), end)
        self.publish()
        self.await_health(self.layout.names(), end - time.monotonic())

    def start_one(self, name, seconds):
        """Restarts a process that has ended, and waits until it listens. Without keep_ports it has a new address."""
        self.launch(name)
        self._await_addresses([name], time.monotonic() + seconds)
        self.publish()

    def publish(self):
        """Writes the addresses of all workers, as in their address files, to the lists that the processes read."""
        if self.keep_ports:
            ports.remember(self.folder, self.layout.names())
        if self.layout.expert_workers > 0 and not self.layout.dense_addresses:
            self._write_list("expert_workers", map(self.address, self.layout.expert_names()))
            self._write_list("dense_workers", map(self.address, self.layout.dense_names()))

    def launch(self, name):
        """Starts a process, and returns at once."""
        experts = layouts.role_of(name) == "expert-worker" and self.layout.experts_of(name)
        self.report(f"starting {name}" + (f" with experts {','.join(map(str, experts))}" if experts else ""))
        own_ports = ports.free_ones(self.folder, name) if self.keep_ports else {}
        command = self.layout.command(name, self.folder, own_ports)
        if self.layout.tls:
            certificates.ensure(self.folder, name)
            command += certificates.flags(self.folder, name)
        with contextlib.suppress(FileNotFoundError):
            os.remove(layouts.address_file(self.folder, name))
        environment = {**self.environment, "NCCL_HOSTID": name} if self.own_host_ids else self.environment
        # An exception between the start and these records would leave a process that nobody stops.
        with open(layouts.log_file(self.folder, name), "ab") as log, signals.deferred():
            child = processes.start(command, self.bound,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
            self.handles[name] = processes.Handle.of_child(child)
            try:
                state.write_pid(self.folder, name, self.handles[name])
            except OSError:  # No other command would find it.
                self.kill([name])
                raise

    def _write_list(self, which, addresses):
        state.write(layouts.list_file(self.folder, which), "".join(a + "\n" for a in addresses if a))

    def _await_addresses(self, names, end):
        for name in names:
            while self.address(name) is None:
                self._require_running(names)
                if time.monotonic() >= end:
                    raise self._failure(name, "did not listen in time")
                time.sleep(POLL_SECONDS)

    def await_health(self, names, seconds):
        """Waits until processes serve. Raises Failure if one ends, or does not serve within `seconds`."""
        wait = str(max(1, round(seconds)))
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            clients = {name: processes.start(self.client(name, "health", "--wait", wait), stdout=errors, stderr=errors)
                       for name in names}
            try:
                while clients:
                    self._require_running(names)
                    for name, client in list(clients.items()):
                        if client.poll() is None:
                            continue
                        if client.returncode != 0:
                            errors.seek(0)
                            raise self._failure(name, f"is not healthy: {layouts.CLIENT} health failed "
                                                f"({client.returncode}): {errors.read().strip()}")
                        del clients[name]
                    time.sleep(POLL_SECONDS if clients else 0)
            finally:
                for client in clients.values():
                    processes.stop(client, 0)

    def client(self, name, *arguments):
        """Returns the command line of a client of a process."""
        proof = []
        if self.layout.tls:
            certificates.ensure(self.folder, certificates.CLIENT)
            proof = certificates.flags(self.folder, certificates.CLIENT)
        return [os.path.join(self.layout.binaries, layouts.CLIENT), "--server", self.address(name), *proof, *arguments]

    def _require_running(self, names):
        for name in names:
            if not self.handles[name].running():
                raise self._failure(name, "has ended during the start")

    def _failure(self, name, what):
        path = layouts.log_file(self.folder, name)
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()[-LOG_LINES:]
        return Failure("\n".join([f"{name} {what}", f"last lines of {path}:", *(f"  {line}" for line in lines)]))

    # --- Asking ---

    def address(self, name, kind="grpc"):
        """Returns the address that a process has written, or None; kind: grpc or metrics."""
        return state.read_address(self.folder, name, kind)

    def pids(self):
        return [handle.pid for handle in self.handles.values()]

    # --- Ending ---

    def stop(self, names, seconds):
        """Stops processes, kills those that do not end within `seconds`, and returns the names of the killed ones."""
        handles = {name: self.handles[name] for name in names if name in self.handles}
        for handle in handles.values():
            handle.signal(signal.SIGTERM)
        end = time.monotonic() + seconds
        stubborn = [name for name, handle in handles.items() if not handle.wait(max(0, end - time.monotonic()))]
        self.kill(stubborn)
        return stubborn

    def stop_all(self, seconds):
        """Does the same for all. Fronts go first, because they need the workers until their requests have ended."""
        fronts = [name for name in self.handles if layouts.role_of(name) in ("router", "local")]
        return self.stop(fronts, seconds) + self.stop([n for n in self.handles if n not in fronts], seconds)

    def kill(self, names):
        for name in names:
            self.handles[name].signal(signal.SIGKILL)
        for name in names:
            self.handles[name].wait(5)

    def kill_all(self):
        self.kill(list(self.handles))

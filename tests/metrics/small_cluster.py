"""A cluster of real processes for one test: a router, dense workers and expert workers, with a tiny model."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.request

SECONDS = 120  # More than anything here takes on a busy machine.
# The client gives up a connection that takes longer than a second, which says nothing about the cluster.
BUSY = "connection attempt timed out"
ROLES = {
    "router": ("router/router", "router"),
    "dense-worker-0": ("dense_worker/dense_worker", "dense_worker"),
    "expert-worker-0": ("expert_worker/expert_worker", "expert_worker"),
    "expert-worker-1": ("expert_worker/expert_worker", "expert_worker"),
}
# With these, any worker can be lost.
MORE_ROLES = {
    **ROLES,
    "dense-worker-1": ("dense_worker/dense_worker", "dense_worker"),
    "expert-worker-2": ("expert_worker/expert_worker", "expert_worker"),
}
# The first one sends rows to others, which load experts that they lack.
EXPERT_FLAGS = {
    "expert-worker-0": ("--experts=0,2,4,6", "--standby_megabytes=0"),
    "expert-worker-1": ("--experts=1,3,5",),
    "expert-worker-2": ("--experts=1,3,5",),
}
POLICY = {"version": 1, "callers": [{"name": "test", "role": "client", "identities": {"anonymous": True},
                                     "limits": {"tokens_per_second": 1000000}}]}


class SmallCluster:
    """Starts its processes at once; await_serving waits for them. The caller calls stop."""

    def __init__(self, binaries, model, roles=None, policy=None, keys=None):
        """Takes the content of the router's --policy and --jwt_keys; without a policy, nobody needs a token."""
        self.roles = roles or ROLES
        self._binaries, self._model = os.path.abspath(binaries), os.path.abspath(model)
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._temporary.name)
        self._processes = {}
        for role in ("dense_worker", "expert_worker"):
            (self.folder / role).write_text("")
        for name in self.of_role("expert_worker"):
            self._start(name, f"--expert_workers=file:{self.folder}/expert_worker", "--threads=1",
                        "--cache_megabytes=16", *EXPERT_FLAGS[name])
        for name in self.of_role("dense_worker"):
            self._start(name, f"--expert_workers=file:{self.folder}/expert_worker", "--threads=1",
                        "--cache_megabytes=16")
        (self.folder / "policy.json").write_text(json.dumps(policy or POLICY))
        flags = [f"--dense_workers=file:{self.folder}/dense_worker", f"--audit_log={self.folder}/audit",
                 f"--policy={self.folder}/policy.json"]
        if keys is not None:
            (self.folder / "keys.json").write_text(json.dumps(keys))
            flags.append(f"--jwt_keys={self.folder}/keys.json")
        self._start("router", *flags)

    def of_role(self, role):
        """Returns the names of the processes of a role."""
        return [name for name, (_, own) in self.roles.items() if own == role]

    def _start(self, name, *flags):
        program = os.path.join(self._binaries, self.roles[name][0])
        with open(self.folder / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                [program, f"--model={self._model}", f"--name={name}", "--listen=127.0.0.1:0",
                 "--metrics_listen=127.0.0.1:0", f"--address_file={self.folder}/{name}.address", *flags],
                stdout=log, stderr=log)

    def kill(self, name):
        """Kills a process, as the loss of its machine would."""
        self._processes[name].kill()
        self._processes[name].wait()

    def stop(self):
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._temporary.cleanup()

    def _addresses(self, name):
        lines = (self.folder / f"{name}.address").read_text().splitlines()
        return dict(line.split() for line in lines)

    def address(self, name):
        """Returns where a process serves gRPC."""
        return self._addresses(name)["grpc"]

    def metrics_address(self, name):
        return self._addresses(name)["metrics"]

    def metrics(self, name):
        """Returns what a process serves at /metrics."""
        with urllib.request.urlopen(f"http://{self.metrics_address(name)}/metrics", timeout=SECONDS) as answer:
            return answer.read().decode()

    def eventually(self, happened, what, seconds=SECONDS):
        """Returns the first true result of a function that is called again and again."""
        end = time.monotonic() + seconds
        while True:
            result = happened()
            if result:
                return result
            if time.monotonic() >= end:
                logs = "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in self.folder.glob("*.log"))
                raise AssertionError(f"expected eventually: {what}\n{logs}")
            time.sleep(0.05)

    def await_serving(self):
        self.eventually(lambda: all((self.folder / f"{name}.address").exists() for name in self.roles), "all listen")
        for role in ("expert_worker", "dense_worker"):
            (self.folder / role).write_text("".join(self.address(name) + "\n" for name in self.of_role(role)))
        self.eventually(lambda: self.client("health").stdout.strip() == "SERVING", "the router serves")

    def client(self, *arguments):
        command = [os.path.join(self._binaries, "tools/apollo/apollo"), "--server", self.address("router"),
                   *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def ask(self):
        """Asks for a short answer. Returns the number of its tokens."""
        while True:
            result = self.client("--json", "ask", "--language", "de", "--temperature", "0", "--max_new_tokens", "8",
                                 "How are you?")
            if result.returncode == 0:
                break
            if BUSY not in result.stderr:
                raise AssertionError(result.stderr)
        return sum("delta" in json.loads(line) for line in result.stdout.splitlines())

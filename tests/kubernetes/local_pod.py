"""A pod of the manifests, as processes of this machine.

Its containers run with the commands, arguments, environment and files of the manifests. What a pod has for itself is
mapped: its address, which also stands for 0.0.0.0 and 127.0.0.1, is one of 127.0.0.0/8; mounted paths are folders; and
the name server, which would be that of its /etc/resolv.conf, is a flag.
"""

import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

SECONDS = 120  # More than anything here takes on a busy machine, unless the manifests say more.


class LocalPod:
    """One pod; start() may be called again after its end, as a kubelet restarts a container."""

    def __init__(self, machine, workload, name, address):
        self.machine, self.workload, self.name, self.address = machine, workload, name, address
        self.terminating = False
        self.process = None
        self.ready_since = None
        self._folder = machine.folder / name / address  # A pod that replaces one has its name.
        self._folder.mkdir(parents=True)
        self.log_path = self._folder / "log"
        self._volumes = {volume["name"]: self._volume(volume) for volume in workload.pod["volumes"]}

    def _volume(self, volume):
        folder = self._folder / volume["name"]
        if "configMap" in volume:
            folder.mkdir()
            for name, text in self.machine.config_map(volume["configMap"]["name"]).items():
                (folder / name).write_text(text)
        elif "csi" in volume:
            names = {key: self._mapped(self._named(value, "${%s}")).split(",")
                     for key, value in self.workload.attributes().items()}
            self.machine.authority.issue(folder, names["uri-sans"], names["dns-names"], names["ip-sans"])
        elif "persistentVolumeClaim" in volume:
            return self.machine.claim(volume["persistentVolumeClaim"]["claimName"])
        else:
            raise AssertionError(f"unknown kind of volume: {volume}")
        return folder

    def _named(self, text, form):
        """Replaces the names of the pod, which are variables of this form."""
        for variable, value in (("POD_NAME", self.name), ("POD_NAMESPACE", self.machine.namespace)):
            text = text.replace(form % variable, value)
        return text

    def _mapped(self, text):
        return re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1)\b", self.address, text)

    def _local(self, argument, container):
        """Returns an argument with the addresses and paths of this machine."""
        argument = self._mapped(self._named(argument, "$(%s)"))
        for mount in container["volumeMounts"]:
            folder = self._volumes[mount["name"]]
            argument = re.sub(rf"(^|=){re.escape(mount['mountPath'])}(?=/|$)", rf"\g<1>{folder}", argument)
        return argument

    def _command(self, container, words):
        program, *arguments = [self._local(word, container) for word in words]
        return [self.machine.program(program), *arguments]

    def _environment(self, container):
        environment = {"PATH": os.environ["PATH"]}
        for item in container.get("env", []):
            if "value" in item:
                environment[item["name"]] = item["value"]
            else:
                path = item["valueFrom"]["fieldRef"]["fieldPath"]
                environment[item["name"]] = {"metadata.name": self.name,
                                             "metadata.namespace": self.machine.namespace}[path]
        return environment

    def start(self):
        """Runs the init containers to their end, then the server."""
        for container in self.workload.pod["initContainers"]:
            result = subprocess.run(self._command(container, container["command"]),
                                    env=self._environment(container), stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, check=False)
            if result.returncode != 0:
                raise AssertionError(f"{self.name}, {container['name']}: {result.stdout}")
        server = self.workload.server
        command = self._command(server, server["command"] + server["args"])
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + [f"--dns_server={self.machine.dns.address}"], stdout=log,
                                            stderr=log, env=self._environment(server))

    def _passes(self, probe):
        server = self.workload.server
        command = self._command(server, self.workload.probes()[probe])
        return subprocess.run(command, env=self._environment(server), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def alive(self):
        """Runs the liveness probe once."""
        return self._passes("livenessProbe")

    def probe(self):
        """Runs the readiness probe once. Returns whether the pod is ready."""
        ready = not self.terminating and self._passes("readinessProbe")
        if not ready:
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = time.monotonic()
        return ready

    def available(self):
        """Returns whether the pod has been ready for minReadySeconds, as an update waits for."""
        return self.probe() and time.monotonic() - self.ready_since >= self.workload.item["spec"]["minReadySeconds"]

    def listening(self):
        """Returns host:port."""
        return self._mapped(self.workload.flags()["listen"])

    def metric(self, name):
        """Returns the value of a metric without labels."""
        address = self._mapped(self.workload.flags()["metrics_listen"])
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=SECONDS) as response:
            text = response.read().decode()
        return float(re.search(rf"(?m)^{name} (\S+)$", text)[1])

    def terminate(self):
        """Sends SIGTERM and waits for the end. A process that is left after the grace period would be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(self.workload.pod["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{self.name} has not ended within its grace period: {self.log()}") from error
        if code != 0:
            raise AssertionError(f"{self.name} has ended with {code}: {self.log()}")

    def kill(self):
        """Ends the process at once, as the kernel does without memory."""
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text()[-3000:]


def model_list(model):
    """Returns the list of the files of a model, as docs/kubernetes.md says."""
    files = sorted(str(path.relative_to(model)) for path in pathlib.Path(model).rglob("*") if path.is_file())
    return subprocess.run(["sha256sum", *files], cwd=model, stdout=subprocess.PIPE, text=True, check=True).stdout

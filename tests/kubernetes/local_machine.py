"""The manifests of an overlay as processes of this machine: what the controllers and kubelets of Kubernetes do with them,
as far as tests need it. Names of services are answered by dnsmasq.
"""

import os
import pathlib
import random
import threading
import time

from local_dns import LocalDns
from manifests import Manifests

from authority import Authority
from local_pod import SECONDS, LocalPod, model_list

PROGRAMS = {"router": "router/router", "dense_worker": "dense_worker/dense_worker",
            "expert_worker": "expert_worker/expert_worker", "apollo": "tools/apollo/apollo"}


class LocalMachine:
    """Holds pods; stop() ends them.

    `config_maps` are the files of ConfigMaps, by name, that operators make or replace."""

    def __init__(self, folder, overlay, binaries, model, config_maps=None):
        self.folder, self._binaries, self._model = pathlib.Path(folder), binaries, model
        self.manifests = Manifests(overlay)
        self._config_maps = {"model": {"SHA256SUMS": model_list(model)}, **(config_maps or {})}
        (namespace,) = self.manifests.of("Namespace")
        self.namespace = namespace["metadata"]["name"]
        self.authority = Authority(self.folder / "authority")
        self.dns = LocalDns(self.folder, "cluster.local")
        self._lock = threading.Lock()
        self._pods = []
        # A network for this test, so that others on this machine do not disturb it.
        self._network = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        self._addresses = 0
        self._names = 0

    # --- What pods need -----------------------------------------------------

    def program(self, name):
        return os.path.join(self._binaries, PROGRAMS[name]) if name in PROGRAMS else name

    def config_map(self, name):
        if name in self._config_maps:
            return self._config_maps[name]
        return self.manifests.get("ConfigMap", name)["data"]

    def claim(self, name):
        """Returns the folder of a volume that pods share."""
        if name == "model":
            return self._model
        folder = self.folder / "volumes" / self.manifests.get("PersistentVolumeClaim", name)["metadata"]["name"]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # --- Pods and services --------------------------------------------------

    def pods(self, workload=None):
        """Returns the pods that exist, of one workload or of all."""
        with self._lock:
            return [pod for pod in self._pods if workload is None or pod.workload.name == workload]

    def _create(self, workload, name):
        self._addresses += 1
        pod = LocalPod(self, workload, name, f"{self._network}.{self._addresses}")
        with self._lock:
            self._pods.append(pod)
        self._tell_dns()
        pod.start()
        return pod

    def _tell_dns(self):
        """Lists, for each headless service, the pods that exist: also those that start or stop, as it says."""
        hosts = {}
        for service in self.manifests.of("Service"):
            spec = service["spec"]
            if spec.get("publishNotReadyAddresses"):
                hosts[f"{service['metadata']['name']}.{self.namespace}.svc.cluster.local"] = [
                    pod.address for pod in self.pods() if spec["selector"].items() <= pod.workload.labels.items()]
        self.dns.set_hosts(hosts)

    def endpoints(self, service):
        """Returns the pods of a service that are ready and do not stop."""
        selector = self.manifests.get("Service", service)["spec"]["selector"]
        return [pod for pod in self.pods() if selector.items() <= pod.workload.labels.items()
                and not pod.terminating and pod.ready_since is not None]

    def remove(self, pod, before_stop=lambda pod: None):
        """Deletes a pod: no service names it from now on, except those that list all; then its process stops.

        `before_stop` is called in place of its preStop handler, whose sleep gives clients time to notice."""
        pod.terminating = True
        before_stop(pod)
        pod.terminate()
        self._gone(pod)

    def _gone(self, pod):
        with self._lock:
            self._pods.remove(pod)
        self._tell_dns()

    def stop(self):
        """Ends all processes."""
        for pod in self.pods():
            if pod.process is not None:
                pod.kill()
        self.dns.stop()

    # --- Controllers --------------------------------------------------------

    def deploy(self):
        """Creates all pods, and waits until they are ready."""
        for workload in self.manifests.workloads():
            for number in range(workload.replicas()):
                self._create(workload, self._name(workload, number))
        for pod in self.pods():
            self.eventually(lambda: pod.alive() and pod.probe(), f"{pod.name} is ready")  # pylint: disable=cell-var-from-loop

    def _name(self, workload, number):
        if workload.kind == "StatefulSet":
            return f"{workload.name}-{number}"
        self._names += 1
        return f"{workload.name}-7d9f8b-{self._names}"

    def update(self, name, before_stop):
        """Replaces the pods of a workload one after the other, as its controller does after a change."""
        old = self.pods(name)
        workload = old[0].workload
        if workload.kind == "StatefulSet":
            for pod in sorted(old, key=lambda pod: pod.name, reverse=True):
                self.remove(pod, before_stop)
                self._await_available(self._create(workload, pod.name))
            return
        for number, pod in enumerate(old):  # maxSurge: 1, maxUnavailable: 0
            self._await_available(self._create(workload, self._name(workload, number)))
            self.remove(pod, before_stop)

    def _await_available(self, pod):
        self.eventually(pod.available, f"{pod.name} is available")

    def eventually(self, happened, what):
        end = time.monotonic() + SECONDS
        while not happened():
            if time.monotonic() >= end:
                logs = "\n".join(f"{pod.name}: {pod.log()}" for pod in self.pods())
                raise AssertionError(f"expected eventually: {what}\n{logs}")
            time.sleep(0.1)

"""Reads the manifests as kustomize renders them, for the tests.

tools/install_packages.sh --dev installs what this needs, in the folder TOOLS.
"""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path("~/.cache").expanduser())
TOOLS = CACHE / "apollo-moe" / "kubernetes-tools"
HERE = pathlib.Path(__file__).absolute().parent
COMMITTED = sorted(path.name for path in (HERE / "overlays").iterdir())
# What docs/kubernetes.md says can be made of them.
VARIANTS = ["production-nvidia", "model-image", "tokens"]
OVERLAYS = COMMITTED + VARIANTS
FOLDERS = ("base", "components", "overlays")
TOKENS = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../production
components:
  - ../../components/tokens
configMapGenerator:
  - name: jwt-keys
    namespace: apollo
    files: [keys.json]
    options: {disableNameSuffixHash: true}
  - name: policy
    namespace: apollo
    behavior: replace
    files: [policy.json=callers.json]
    options: {disableNameSuffixHash: true}
"""

if not (TOOLS / "installed.txt").exists():
    sys.exit(f"no {TOOLS}: run tools/install_packages.sh --dev")
sys.path.insert(0, str(TOOLS))
import yaml  # noqa: E402


@functools.cache
def _copy():
    """Returns a copy of the manifests without links, which Bazel's files are, and kustomize refuses."""
    folder = tempfile.TemporaryDirectory()  # Lasts as long as the process. # pylint: disable=consider-using-with
    for name in FOLDERS:
        shutil.copytree(HERE / name, pathlib.Path(folder.name) / name)
    production = (HERE / "overlays" / "production" / "kustomization.yaml").read_text()
    add_overlay(pathlib.Path(folder.name), "production-nvidia", production.replace("components/cpu", "components/nvidia"))
    add_overlay(pathlib.Path(folder.name), "model-image",
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
                "resources:\n  - ../cpu\ncomponents:\n  - ../../components/model_image\n"
                "images:\n  - name: localhost/apollo/model\n    newTag: '1'\n")
    add_overlay(pathlib.Path(folder.name), "tokens", TOKENS)
    for name, text in (("keys.json", '{"keys": []}'), ("callers.json", '{"version": 1, "callers": []}')):
        (pathlib.Path(folder.name) / "overlays" / "tokens" / name).write_text(text)
    return folder


def add_overlay(folder, name, text):
    """Adds an overlay to a folder with manifests."""
    (folder / "overlays" / name).mkdir()
    (folder / "overlays" / name / "kustomization.yaml").write_text(text)


def root():
    """Returns a folder with all manifests, in which tests may add others."""
    return pathlib.Path(_copy().name)


@functools.cache
def _rendered(folder):
    result = subprocess.run([TOOLS / "bin" / "kubectl", "kustomize", folder], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, check=False)
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f"kubectl kustomize {folder}: {result.stderr}")
    return result.stdout


def render(folder):
    """Returns the objects of a folder with a kustomization. Warnings are errors."""
    return [item for item in yaml.load_all(_rendered(folder), Loader=yaml.CSafeLoader) if item]


def matches(selector, labels):
    """Returns whether labels have those of a selector. Others than matchLabels are not used."""
    if set(selector) - {"matchLabels"}:
        raise AssertionError(f"only matchLabels can be checked, not {selector}")
    return selector.get("matchLabels", {}).items() <= labels.items()


def seconds(duration):
    """Returns the seconds of "30s" or "2m"."""
    found = re.fullmatch(r"([0-9]+)(s|m|h)", duration)
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def mebibytes(quantity):
    """Returns the MiB of a quantity of memory."""
    found = re.fullmatch(r"([0-9]+)(Mi|Gi)", quantity)
    return int(found[1]) * {"Mi": 1, "Gi": 1024}[found[2]]


def example(name):
    """Returns the objects of a file in examples/."""
    return list(yaml.safe_load_all((HERE / "examples" / name).read_text()))


class Workload:
    """A Deployment or StatefulSet, whose main container is called "server"."""

    def __init__(self, item, manifests):
        self.item, self._manifests = item, manifests
        self.kind, self.name = item["kind"], item["metadata"]["name"]
        self.labels = item["spec"]["template"]["metadata"]["labels"]
        self.role = self.labels["app.kubernetes.io/component"]
        self.pod = item["spec"]["template"]["spec"]
        self.containers = [*self.pod.get("initContainers", []), *self.pod["containers"]]
        (self.server,) = [container for container in self.pod["containers"] if container["name"] == "server"]
        self.program = self.server["command"][0]

    def volume(self, name):
        (volume,) = [volume for volume in self.pod["volumes"] if volume["name"] == name]
        return volume

    def files(self, path, container=None):
        """Returns the files of the ConfigMap that is mounted at a path, by name."""
        mounts = (container or self.server)["volumeMounts"]
        (mount,) = [mount for mount in mounts if mount["mountPath"] == path]
        return self._manifests.get("ConfigMap", self.volume(mount["name"])["configMap"]["name"])["data"]

    def arguments(self):
        """Returns the flags of the program, with those of its file of flags in place of --flagfile."""
        result = []
        for argument in self.server["args"]:
            name, _, value = argument.partition("=")
            if name != "--flagfile":
                result.append(argument)
                continue
            path = pathlib.PurePosixPath(value)
            lines = self.files(str(path.parent))[path.name].splitlines()
            result += [line for line in lines if line and not line.startswith("#")]
        return result

    def flags(self):
        """Returns the values of the flags by name. Refuses a flag that is given twice."""
        pairs = [argument.removeprefix("--").split("=", 1) for argument in self.arguments()]
        result = dict(pairs)
        if len(result) != len(pairs):
            raise AssertionError(f"{self.name} has a flag twice: {self.arguments()}")
        return result

    def probes(self):
        """Returns the commands of the three probes by name."""
        return {name: self.server[name]["exec"]["command"]
                for name in ("startupProbe", "readinessProbe", "livenessProbe")}

    def replicas(self):
        """Returns the least number of pods: that of the manifest, or of what scales it."""
        for item in self._manifests.of("HorizontalPodAutoscaler"):
            target = item["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == (self.kind, self.name):
                return item["spec"]["minReplicas"]
        return self.item["spec"]["replicas"]

    def attributes(self):
        """Returns those of the certificate of a pod."""
        prefix = "csi.cert-manager.io/"
        return {name.removeprefix(prefix): value
                for name, value in self.volume("tls")["csi"]["volumeAttributes"].items()}


class Manifests:
    """The objects of one overlay."""

    def __init__(self, overlay):
        self.items = render(root() / "overlays" / overlay)

    def of(self, kind):
        return [item for item in self.items if item["kind"] == kind]

    def get(self, kind, name):
        found = [item for item in self.of(kind) if item["metadata"]["name"] == name]
        if len(found) != 1:
            raise AssertionError(f"expected one {kind} {name}, but there are {len(found)}")
        return found[0]

    def workloads(self):
        return [Workload(item, self) for item in self.items if item["kind"] in ("Deployment", "StatefulSet")]

    def workers(self):
        return [workload for workload in self.workloads() if workload.role != "router"]

    def selected(self, service):
        """Returns the workloads that a Service selects."""
        return [workload for workload in self.workloads()
                if service["spec"]["selector"].items() <= workload.labels.items()]

"""A real Envoy with the configuration of deploy/envoy."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import unittest

from secured_cluster import ROOT, SECONDS, eventually, make_certificates

sys.path.insert(0, str(ROOT / "tests/ports"))
from stable_ports import stable_port  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
ENVOY = CACHE / "apollo-moe/edge-tools/envoy/_bin/envoy"

# A router that stands still for some seconds, on a busy machine, keeps its streams.
PATIENT = ("connection_keepalive: {interval: 10s, timeout: 5s}",
           f"connection_keepalive: {{interval: 10s, timeout: {SECONDS}s}}")


def require_envoy():
    """Skips the test without Envoy; in CI, it fails."""
    if ENVOY.exists():
        return
    reason = f"there is no {ENVOY}; tools/install_packages.sh --dev installs it"
    if os.environ.get("CI"):
        raise AssertionError(reason)
    print(f"SKIPPED: {reason}", file=sys.stderr)
    raise unittest.SkipTest(reason)


def make_tls_folder(folder, certificates, public):
    """Fills a folder for make_config.py. Clients trust the authority of the folder `public`, which is made; all others
    that of `certificates`."""
    folder.mkdir()
    make_certificates(public, "edge/server", "client/clinic-a")
    for source, name in ((certificates / "ca.pem", "clients_ca.pem"), (certificates / "ca.pem", "routers_ca.pem"),
                         (certificates / "proxy.pem", "edge.pem"), (certificates / "proxy.key", "edge.key"),
                         (public / "server.pem", "server.pem"), (public / "server.key", "server.key")):
        shutil.copy(source, folder / name)


def make_config(folder, *options):
    """Runs make_config.py with the folder for its results."""
    return subprocess.run([sys.executable, ROOT / "deploy/envoy/make_config.py", f"--out={folder}", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def validate(folder):
    """Returns the exit code and the output of Envoy's check of a configuration."""
    result = subprocess.run([ENVOY, "--mode", "validate", "--config-path", folder / "envoy.yaml"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


class _Administration(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


class LocalEnvoy:
    """An Envoy in front of the routers of a cluster, until stop(). Files are in `folder`, whose path must be short.

    `changes` are texts of the configuration, which it must have, and what is there instead, for limits without an option."""

    def __init__(self, folder, cluster, tls, *options, changes=()):
        self.folder, self._cluster = folder, cluster
        folder.mkdir()
        self.list_routers()
        self.address, self.metrics = f"localhost:{stable_port()}", f"127.0.0.1:{stable_port()}"
        self.admin = folder / "admin.sock"
        made = make_config(folder, f"--listen={self.address.replace('localhost', '127.0.0.1')}", f"--tls={tls}",
                           f"--metrics-listen={self.metrics}", f"--admin={self.admin}",
                           f"--routers=file:{folder}/routers.yaml", *options)
        assert made.returncode == 0, made.stdout
        self._change((PATIENT, *changes))
        with open(folder / "calls.log", "wb") as calls, open(folder / "envoy.log", "wb") as log:
            self._process = subprocess.Popen(
                [ENVOY, "--config-path", folder / "envoy.yaml", "--concurrency", "2", "--disable-hot-restart",
                 "--log-level", "warning"], stdout=calls, stderr=log)
        try:
            self.await_healthy(*cluster.routers())
        except AssertionError:
            self.stop()
            raise

    def _change(self, changes):
        file = self.folder / "envoy.yaml"
        text = file.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text)

    def list_routers(self):
        """Tells Envoy the addresses of all routers, which change when one is started again."""
        endpoints = []
        for name in self._cluster.routers():
            host, _, port = self._cluster.address(name).rpartition(":")
            endpoints.append({"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}})
        text = json.dumps({"resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": "routers", "endpoints": [{"lb_endpoints": endpoints}]}]})
        (self.folder / "routers.new").write_text(text)
        (self.folder / "routers.new").rename(self.folder / "routers.yaml")

    def stop(self):
        self._process.kill()
        self._process.wait()

    def administer(self, path):
        """Returns the answer of the administration interface, or "" if it does not listen yet."""
        if self._process.poll() is not None:
            raise AssertionError(f"Envoy has ended: {(self.folder / 'envoy.log').read_text()[-3000:]}")
        connection = _Administration(self.admin)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()

    def stat(self, name):
        """Returns the value of a statistic; 0 if it has none yet."""
        found = re.search(rf"(?m)^{re.escape(name)}: (\d+)$", self.administer(f"/stats?filter=^{re.escape(name)}$"))
        return int(found[1]) if found else 0

    def healthy(self):
        """Returns the addresses of the routers that get calls."""
        text = self.administer("/clusters")
        return set(re.findall(r"(?m)^routers::(\S+)::health_flags::healthy$", text))

    def await_healthy(self, *names):
        """Waits until these routers get calls, and no others."""
        wanted = {self._cluster.address(name) for name in names}
        eventually(lambda: self.healthy() == wanted, f"the healthy routers are {names}")

    def calls(self):
        """Returns what Envoy has logged about calls."""
        return [json.loads(line) for line in (self.folder / "calls.log").read_text().splitlines()]

    def log(self):
        return (self.folder / "envoy.log").read_text()

"""Debian's Prometheus, with the configuration of the repository, for one test."""

import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

RULES = pathlib.Path("deploy/prometheus").absolute()
SECONDS = 30  # More than an answer takes on a busy machine.


class Prometheus:
    """Scrapes a SmallCluster that serves, from its start on, each second. The caller calls stop."""

    def __init__(self, cluster):
        folder = cluster.folder / "prometheus"
        shutil.copytree(RULES, folder)
        text = (folder / "prometheus.yml").read_text()
        changed = text.replace("_interval: 15s", "_interval: 1s").replace("refresh_interval: 10s",
                                                                          "refresh_interval: 1s")
        assert text != changed
        (folder / "prometheus.yml").write_text(changed)
        for role in sorted({role for _, role in cluster.roles.values()}):
            addresses = [cluster.metrics_address(name) for name in cluster.of_role(role)]
            (folder / "targets" / f"{role}.yml").write_text(json.dumps([{"targets": addresses}]))
        self._log = cluster.folder / "prometheus.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log)

    def stop(self):
        self._process.kill()
        self._process.wait()

    def _address(self):
        """Returns where it listens, on a port that was free; None before."""
        found = re.search(r'msg="Listening on" address=(\S+)', self._log.read_text())
        return found and found[1]

    def get(self, what, **arguments):
        """Returns the data of an answer of Prometheus's HTTP API."""
        query = "?" + urllib.parse.urlencode(arguments) if arguments else ""
        with urllib.request.urlopen(f"http://{self._address()}/api/v1/{what}{query}", timeout=SECONDS) as answer:
            return json.load(answer)["data"]

    def healths(self):
        """Returns the health of each target: none while Prometheus still starts."""
        if self._address() is None:
            return []
        try:
            return [target["health"] for target in self.get("targets")["activeTargets"]]
        except OSError:  # Also while it closes a connection, or is slow.
            return []

    def query(self, query):
        """Returns the result of a query, as of now."""
        return self.get("query", query=query)["result"]

    def query_range(self, query, seconds, step):
        """Returns the result of a query over the last seconds."""
        now = self.get("query", query="vector(0)")["result"][0]["value"][0]
        return self.get("query_range", query=query, start=now - seconds, end=now, step=step)["result"]

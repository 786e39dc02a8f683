#!/usr/bin/env python3
"""The metrics of a real cluster, as Prometheus sees them.

Usage: prometheus_test.py BINARIES MODEL [unittest's arguments]
Needs prometheus and promtool (tools/install_packages.sh --dev).
"""

import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from prometheus import Prometheus  # noqa: E402
from small_cluster import ROLES, SmallCluster  # noqa: E402

BINARIES, MODEL = sys.argv[1:3]
LETTERS = {"router": "R", "dense_worker": "D", "expert_worker": "E"}


def listed_metrics():
    """Returns the type and the letters of the programs by metric, as the code lists them."""
    text = subprocess.run([os.path.join(BINARIES, "tools/metrics_docs/metrics_docs")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    rows = re.findall(r"^\| `(\w+)[^|]*\| (\w+) \| ([RDEL]+) \|", text, re.MULTILINE)
    return {name: (kind, letters) for name, kind, letters in rows}


def served_metrics(text):
    """Returns the type by metric of a page of metrics, without those of the library that serves the page."""
    return dict(re.findall(r"^# TYPE (?!exposer_)(\w+) (\w+)$", text, re.MULTILINE))


class Load(threading.Thread):
    """Asks questions until it is ended."""

    def __init__(self, cluster):
        super().__init__()
        self._cluster, self._ended, self.failure = cluster, threading.Event(), None

    def run(self):
        try:
            while not self._ended.is_set():
                self._cluster.ask()
        except AssertionError as failure:
            self.failure = failure

    def end(self):
        self._ended.set()
        self.join()


class PrometheusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = SmallCluster(BINARIES, MODEL)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.await_serving()
        cls.cluster.ask()

    def test_every_process_passes_promtool(self):
        for name in ROLES:
            with self.subTest(process=name):
                result = subprocess.run(["promtool", "check", "metrics"], input=self.cluster.metrics(name), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_every_metric_is_listed_and_every_listed_one_may_appear(self):
        listed = listed_metrics()
        self.assertGreater(len(listed), 50)
        for name, (_, role) in ROLES.items():
            served = served_metrics(self.cluster.metrics(name))
            for metric, kind in served.items():
                with self.subTest(process=name, metric=metric):
                    self.assertIn(metric, listed)
                    self.assertEqual(listed[metric][0], kind)
                    self.assertIn(LETTERS[role], listed[metric][1])
        served = served_metrics(self.cluster.metrics("router"))
        optional = {metric for metric in listed if re.match(r"apollo_(audit|caller)_", metric)}
        self.assertGreater(len(optional), 6)
        self.assertEqual(optional - served.keys(), {"apollo_caller_limited_total"})  # Nothing was refused.
        # Of the workers, all are there at once but those of tables without rows.
        for name, role in (("dense-worker-0", "D"), ("expert-worker-0", "E")):
            served = served_metrics(self.cluster.metrics(name))
            missing = {metric for metric, (_, letters) in listed.items() if role in letters} - served.keys()
            late = {"apollo_requests_total", "apollo_e2e_request_latency_seconds", "apollo_expert_rows_away_total",
                    "apollo_family_tokens_total", "apollo_off_family_tokens_total", "apollo_expert_tokens_total"}
            optional = re.compile(r"apollo_(tls|audit|caller|trace)_")
            self.assertEqual({metric for metric in missing - late if not optional.match(metric)}, set(), name)

    def test_prometheus_scrapes_a_cluster_under_load(self):
        load = Load(self.cluster)
        load.start()
        self.addCleanup(load.end)
        prometheus = Prometheus(self.cluster)
        self.addCleanup(prometheus.stop)
        self.cluster.eventually(lambda: prometheus.healths() == ["up"] * len(ROLES), "all targets are up")
        for query in ("cluster:apollo_language_generation_tokens:rate5m > 0",
                      'language:apollo_language_requests:rate5m{language="de"} > 0',
                      "cluster:apollo_failed_requests:ratio_rate5m == 0",
                      "cluster:apollo_late_first_tokens:ratio_rate5m >= 0",
                      "count(instance:apollo_dense_busy:ratio_rate5m > 0) == 1",
                      "count(expert:apollo_expert_holders:count == 1) == 7"):
            self.cluster.eventually(lambda query=query: prometheus.query(query), query)
        groups = prometheus.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 40)
        self.cluster.eventually(
            lambda: {rule["health"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
            == {"ok"}, "all rules are evaluated")
        firing = {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]
                  if alert["state"] == "firing" and alert["labels"]["severity"] == "page"}
        self.assertEqual(firing - {"ApolloFirstTokensVeryLate"}, set())  # The machine may be slow.
        self.assertIsNone(load.failure)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

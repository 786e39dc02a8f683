#!/usr/bin/env python3
"""The queries of deploy/grafana, on a real Prometheus that scrapes a real cluster under load, in which workers are lost.

Usage: dashboards_test.py BINARIES MODEL [unittest's arguments]
Needs prometheus, python3-grpcio and protoc (tools/install_packages.sh --dev).
"""

import math
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from load import Load, keys, policy  # noqa: E402
from panels import metrics_of, read_panels  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from small_cluster import MORE_ROLES, SmallCluster  # noqa: E402

BINARIES, MODEL = sys.argv[1:3]
LAYERS = ["2", "3"]  # Of MODEL.
SECONDS = 100  # More than all data take on a busy machine.
INTERVAL = 1200  # Of rates: what happened once must be in them until all queries were asked, also on a busy machine.
# Panels that may have no data here, and why.
MAY_BE_EMPTY = {
    "Firing alerts": "no alert needs to fire",
    "Time until certificates expire": "the cluster has no TLS",
}


def panels():
    return [panel for panel in read_panels(INTERVAL, LAYERS) if panel.title not in MAY_BE_EMPTY]


def has_data(result):
    """Returns whether a sample of a result is a number."""
    return any(math.isfinite(float(sample["value"][1])) for sample in result)


class DashboardsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = SmallCluster(BINARIES, MODEL, MORE_ROLES, policy(), keys())
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.await_serving()
        cls.prometheus = Prometheus(cls.cluster)
        cls.addClassCleanup(cls.prometheus.stop)
        cls.cluster.eventually(lambda: cls.prometheus.healths() == ["up"] * len(MORE_ROLES), "all targets are up")
        load = Load(cls.cluster.address("router"))
        cls.addClassCleanup(load.end)
        cls.lose("expert-worker-1", "apollo_num_expert_sequences_running")
        # The dense worker that moved a sequence may be the one that is lost next.
        cls.cluster.eventually(
            lambda: cls.prometheus.query(f"sum(rate(apollo_sequence_pause_seconds_count[{INTERVAL}s])) > 0"), "moves")
        cls.lose("dense-worker-1", "apollo_num_sequences_running")

    @classmethod
    def lose(cls, name, sequences):
        """Kills a worker once it works on several sequences."""
        cls.cluster.eventually(
            lambda: re.search(rf"^{sequences} ([2-9]|\d\d)", cls.cluster.metrics(name), re.MULTILINE), f"{name} works")
        cls.cluster.kill(name)

    def settle(self, wrong):
        """Waits until nothing is wrong with the result of any query, and returns the queries with which something is."""
        left = [(panel, target) for panel in panels() for target in panel.targets]
        end = time.monotonic() + SECONDS
        while left and time.monotonic() < end:
            left = [(panel, target) for panel, target in left if wrong(target, self.prometheus.query(target.expression))]
            time.sleep(0.2)
        return [f"{panel.dashboard}, {panel.title}: {target.expression}" for panel, target in left]

    def test_every_query_of_every_panel_returns_data(self):
        self.assertGreater(len(panels()), 60)
        self.assertEqual(self.settle(lambda target, result: not has_data(result)), [])

    def test_no_query_returns_data_with_a_misspelt_metric(self):
        for panel in panels():
            for target in panel.targets:
                names = metrics_of(target.expression)
                self.assertNotEqual(names, set(), target.expression)
                for name in names:
                    with self.subTest(dashboard=panel.dashboard, panel=panel.title, metric=name):
                        misspelt = re.sub(rf"\b{name}\b", f"{name}x", target.expression)
                        self.assertNotEqual(misspelt, target.expression)
                        self.assertFalse(has_data(self.prometheus.query(misspelt)), misspelt)

    def test_legends_name_labels_of_the_results(self):
        def wrong(target, result):
            labels = set(re.findall(r"\{\{(\w+)\}\}", target.legend))
            return not any(labels <= sample["metric"].keys() for sample in result)
        self.assertEqual(self.settle(wrong), [])

    def test_queries_of_routers_leave_workers_out(self):
        query = next(target.expression for panel in panels() if panel.title == "Calls in progress"
                     for target in panel.targets)
        self.cluster.eventually(lambda: self.prometheus.query("count(apollo_num_requests_running) > 1"), "all roles")
        routers = self.prometheus.query(query.replace("sum(", "count("))
        self.assertEqual([sample["value"][1] for sample in routers], ["1"])

    def test_panels_that_may_be_empty_exist(self):
        titles = {panel.title for panel in read_panels(INTERVAL, LAYERS)}
        self.assertEqual(MAY_BE_EMPTY.keys() - titles, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

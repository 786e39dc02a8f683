#!/usr/bin/env python3
"""The rules of this folder: their syntax, their tests and their runbooks, and the metrics of rules and dashboards.

Usage: rules_test.py METRICS_DOCS [unittest's arguments]
METRICS_DOCS is the program //tools/metrics_docs. Needs promtool (tools/install_packages.sh --dev).
"""

import json
import pathlib
import re
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(__file__).absolute().parent
RULES = ("recording_rules.yml", "alerts.yml")
TESTS = ("alerts_test.yml", "objectives_test.yml")
METRICS_DOCS = sys.argv[1]
DASHBOARDS = FOLDER.parent / "grafana" / "dashboards"
RUNBOOKS = pathlib.Path("docs/operations.md")


def read(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)


def expressions():
    """Returns the queries of all dashboards."""
    found = []
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            found += [target["expr"] for target in panel.get("targets", [])]
    return found


class RulesTest(unittest.TestCase):
    def setUp(self):
        self.alerts = re.findall(r"^ +- alert: (\w+)$", read("alerts.yml"), re.MULTILINE)
        self.assertGreater(len(self.alerts), 20)

    def test_configuration_and_rules_are_valid(self):
        result = promtool("check", "config", "prometheus.yml")
        self.assertEqual(result.returncode, 0, result.stdout)
        result = promtool("check", "rules", *RULES)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_alerts_fire_and_do_not_fire_as_expected(self):
        result = promtool("test", "rules", *TESTS)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_each_alert_has_a_test_that_it_fires_and_one_that_it_does_not(self):
        cases = [case for name in TESTS for case in read(name).split("  - name: ")[1:]]
        for alert in self.alerts:
            with self.subTest(alert=alert):
                of_alert = [case for case in cases if f"alertname: {alert}\n" in case]
                self.assertTrue(any("exp_labels" in case for case in of_alert))
                self.assertTrue(any("exp_alerts: []" in case for case in of_alert))

    def test_each_alert_has_a_runbook_and_each_runbook_an_alert(self):
        text = RUNBOOKS.read_text(encoding="utf-8")
        headings = re.findall(r"^### (Apollo\w+)$", text, re.MULTILINE)
        self.assertEqual(sorted(headings), sorted(self.alerts))
        anchors = re.findall(r"^ +runbook: (\S+)$", read("alerts.yml"), re.MULTILINE)
        self.assertEqual(anchors, [f"{RUNBOOKS}#{alert.lower()}" for alert in self.alerts])

    def test_every_metric_of_the_rules_exists(self):
        lines = subprocess.run([METRICS_DOCS, "--names"], check=True, stdout=subprocess.PIPE, text=True).stdout
        known = set()
        for name, kind in (line.split() for line in lines.splitlines()):
            known.update(name + part for part in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)))
        used = set()
        for name in RULES:
            # Recorded names have colons, labels stand in braces or after "by".
            text = re.sub(r"\S*:apollo\S*|#.*|\{[^}]*\}|summary:.*|runbook:.*", " ", read(name))
            used.update(re.findall(r"\b(?:apollo|process)_\w+", text.replace("- name: apollo", "")))
        for expression in expressions():
            text = re.sub(r"\w+:apollo\S*|\{[^}]*\}", " ", expression)
            used.update(re.findall(r"\b(?:apollo|process)_\w+", text))
        self.assertGreater(len(used), 50)
        self.assertEqual(used - known, set())

    def test_every_series_that_alerts_and_dashboards_use_is_recorded(self):
        recorded = set(re.findall(r"record: (\S+)", read("recording_rules.yml")))
        used = set(re.findall(r"\w+:apollo\w+:\w+", read("alerts.yml") + " ".join(expressions())))
        self.assertEqual(used - recorded, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])

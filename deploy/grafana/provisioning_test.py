#!/usr/bin/env python3
"""The files of provisioning/: what Grafana's documentation asks of them (administration/provisioning), and that they find
the dashboards once they are installed as docs/dashboards.md says."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent
HERE = ROOT / "deploy/grafana"
# Grafana ignores fields that it does not know, so a misspelt one has no effect.
SOURCE_FIELDS = {"name", "type", "uid", "orgId", "access", "url", "user", "database", "basicAuth", "basicAuthUser",
                 "withCredentials", "isDefault", "jsonData", "secureJsonData", "version", "editable"}
PROMETHEUS_FIELDS = {"httpMethod", "timeInterval", "queryTimeout", "manageAlerts", "prometheusType", "prometheusVersion",
                     "cacheLevel", "customQueryParameters", "exemplarTraceIdDestinations", "disableRecordingRules",
                     "incrementalQuerying", "incrementalQueryOverlapWindow", "tlsAuth", "tlsAuthWithCACert"}
PROVIDER_FIELDS = {"name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds",
                   "allowUiUpdates", "options"}
OPTION_FIELDS = {"path", "foldersFromFilesStructure"}
UID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Strict(yaml.SafeLoader):
    """Refuses mappings with a key twice, of which others take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, f"a key is there twice: {keys}", node.start_mark)
        return super().construct_mapping(node, deep)


def read(path):
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Strict)


def dashboards(folder):
    """Returns the dashboards in a folder and those within it, by uid, as Grafana looks for them."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")]
    return {dashboard["uid"]: dashboard for dashboard in found}


class ProvisioningTest(unittest.TestCase):
    def entries(self, kind, fields):
        """Returns the entries of all files of a kind, after checks of what all kinds have in common."""
        paths = sorted((HERE / "provisioning" / kind[0]).iterdir())
        # Grafana reads no other files.
        self.assertEqual([path.suffix for path in paths if path.suffix not in (".yml", ".yaml")], [])
        entries = []
        for path in paths:
            content = read(path)
            self.assertEqual(set(content), {"apiVersion", kind[1]}, path)
            self.assertEqual(content["apiVersion"], 1, path)  # Without it, it is the format of version 0.
            entries += content[kind[1]]
        self.assertGreater(len(entries), 0)
        for entry in entries:
            self.assertEqual(set(entry) - fields, set())
            self.assertTrue(entry["name"])
        for name in ("name", "uid"):
            values = [entry[name] for entry in entries if name in entry]
            self.assertEqual(len(set(values)), len(values), name)
        return entries

    def sources(self):
        return self.entries(("datasources", "datasources"), SOURCE_FIELDS)

    def providers(self):
        return self.entries(("dashboards", "providers"), PROVIDER_FIELDS)

    def test_data_sources(self):
        for source in self.sources():
            self.assertEqual(source["type"], "prometheus")
            self.assertIn(source["access"], ("proxy", "direct"))
            self.assertRegex(source["url"], r"^https?://[^/]+:\d+$")
            self.assertTrue(UID.fullmatch(source["uid"]), source["uid"])
            self.assertEqual(set(source["jsonData"]) - PROMETHEUS_FIELDS, set())
            self.assertIn(source["jsonData"]["httpMethod"], ("GET", "POST"))

    def test_rates_are_over_the_interval_of_prometheus(self):
        interval = read(ROOT / "deploy/prometheus/prometheus.yml")["global"]["scrape_interval"]
        for source in self.sources():
            self.assertEqual(source["jsonData"]["timeInterval"], interval)

    def test_variables_of_dashboards_find_a_data_source(self):
        sources = self.sources()
        for uid, dashboard in dashboards(HERE / "dashboards").items():
            variables = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
            self.assertEqual(len(variables), 1, uid)
            fitting = [source for source in sources if source["type"] == variables[0]["query"]]
            self.assertGreater(len(fitting), 0, uid)
            # Without a value of its own, a variable takes the first of them.
            value = (variables[0].get("current") or {}).get("value")
            if value:
                self.assertIn(value, [source["uid"] for source in fitting], uid)

    def test_providers(self):
        for provider in self.providers():
            self.assertEqual(provider["type"], "file")
            self.assertEqual(set(provider["options"]) - OPTION_FIELDS, set())
            self.assertTrue(os.path.isabs(provider["options"]["path"]))
            # Grafana refuses a provider with both.
            self.assertFalse(provider["folder"] and provider["options"].get("foldersFromFilesStructure"))
            self.assertNotEqual(provider["folder"].lower(), "general")  # The name of the one that is always there.
            self.assertTrue(UID.fullmatch(provider["folderUid"]), provider["folderUid"])
            # Or changes of users would be lost with the next version of the files.
            self.assertIs(provider.get("allowUiUpdates", False), False)

    def install(self, machine):
        """Runs the commands of docs/dashboards.md, for a machine in a folder."""
        text = (ROOT / "docs/dashboards.md").read_text(encoding="utf-8")
        commands = re.search(r"or provision them:\n\n((?:    .*\n)+)", text).group(1)
        for name in ("datasources", "dashboards"):  # Grafana's package has made them.
            (machine / "etc/grafana/provisioning" / name).mkdir(parents=True)
        (machine / "var/lib/grafana").mkdir(parents=True)
        script = re.sub(r"(?<= )/(etc|var)/", rf"{machine}/\1/", commands)
        subprocess.run(["sh", "-eux", "-c", script], cwd=ROOT, check=True)

    def test_the_documented_commands_install_what_is_needed(self):
        machine = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.install(machine)
        expected = dashboards(HERE / "dashboards")
        self.assertGreater(len(expected), 3)
        for kind in ("datasources", "dashboards"):
            contents = sorted(path.read_bytes() for path in (machine / "etc/grafana/provisioning" / kind).iterdir())
            self.assertEqual(contents, sorted(path.read_bytes() for path in (HERE / "provisioning" / kind).iterdir()))
        found = {}
        for provider in self.providers():
            found.update(dashboards(machine / provider["options"]["path"].lstrip("/")))
        self.assertEqual(found, expected)


class StrictTest(unittest.TestCase):
    def test_a_key_that_is_there_twice_is_refused(self):
        self.assertEqual(yaml.load("a: {b: 1, c: [2]}", Loader=Strict), {"a": {"b": 1, "c": [2]}})
        with self.assertRaises(yaml.YAMLError):
            yaml.load("a: {b: 1, b: 2}", Loader=Strict)


if __name__ == "__main__":
    unittest.main()

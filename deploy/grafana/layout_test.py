#!/usr/bin/env python3
"""The files of dashboards/: what readers and links rely on, and one style. Their queries: tests/metrics/dashboards_test.py."""

import json
import pathlib
import re
import unittest

FOLDER = pathlib.Path(__file__).absolute().parent / "dashboards"
# Links to dashboards contain these, so they never change.
UIDS = {"callers": "apollo-callers", "languages": "apollo-languages", "overview": "apollo-overview",
        "workers": "apollo-workers"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
# All roles serve these, so a call of a client is in those of several processes.
OF_ALL_ROLES = re.compile(r"(?<![:\w])apollo_(requests|requests_resumed|request_success|prompt_tokens|generation_tokens)_total|"
                          r"(?<![:\w])apollo_(num_requests_running|(time_to_first_token|inter_token_latency|"
                          r"e2e_request_latency|request_(queue|prefill|decode)_time)_seconds)")
OF_ROUTERS = ("and on (instance) apollo_language_detection_confidence_count", 'method!~"Run|Sequence"')


class LayoutTest(unittest.TestCase):
    def setUp(self):
        self.dashboards = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
        self.panels = [(name, panel) for name, dashboard in self.dashboards.items() for panel in dashboard["panels"]
                       if panel["type"] != "row"]
        self.assertGreater(len(self.panels), 50)

    def test_uids_stay_the_same(self):
        self.assertEqual({name: dashboard["uid"] for name, dashboard in self.dashboards.items()}, UIDS)

    def test_the_data_source_is_a_variable(self):
        for name, dashboard in self.dashboards.items():
            first = dashboard["templating"]["list"][0]
            self.assertEqual((first["name"], first["type"], first["query"]), ("datasource", "datasource", "prometheus"))
        for name, panel in self.panels:
            for part in (panel, *panel["targets"]):
                with self.subTest(dashboard=name, panel=panel["title"]):
                    self.assertEqual(part["datasource"], SOURCE)

    def test_variables_of_queries_exist(self):
        for name, panel in self.panels:
            known = {one["name"] for one in self.dashboards[name]["templating"]["list"]} | {"__rate_interval"}
            for target in panel["targets"]:
                with self.subTest(dashboard=name, panel=panel["title"]):
                    self.assertEqual(set(re.findall(r"\$([a-z_]\w*)", target["expr"])) - known, set())

    def test_calls_of_clients_count_once(self):
        found = [target["expr"] for _, panel in self.panels for target in panel["targets"]
                 if OF_ALL_ROLES.search(target["expr"])]
        self.assertGreater(len(found), 10)
        self.assertEqual([expression for expression in found if not any(part in expression for part in OF_ROUTERS)], [])

    def test_each_panel_tells_what_it_shows_and_in_which_unit(self):
        for name, panel in self.panels:
            with self.subTest(dashboard=name, panel=panel["title"]):
                self.assertRegex(panel["description"], r"^.{12,}\.$")
                if panel["type"] == "heatmap":
                    self.assertTrue(panel["options"]["yAxis"]["unit"])
                elif panel["type"] != "nodeGraph":
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])

    def test_ids_are_unique(self):
        for name, dashboard in self.dashboards.items():
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(set(ids)), len(ids), name)
            self.assertNotIn(0, ids)
        for name, panel in self.panels:
            ids = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(set(ids)), len(ids), panel["title"])
        titles = [panel["title"] for name, panel in self.panels if name == "overview"]
        self.assertEqual(len(set(titles)), len(titles))

    def test_panels_neither_overlap_nor_leave_the_grid(self):
        for name, dashboard in self.dashboards.items():
            taken = set()
            for panel in dashboard["panels"]:
                grid = panel["gridPos"]
                cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"])
                         for y in range(grid["y"], grid["y"] + grid["h"])}
                with self.subTest(dashboard=name, panel=panel["title"]):
                    self.assertLessEqual(grid["x"] + grid["w"], COLUMNS)
                    self.assertEqual(cells & taken, set())
                taken |= cells


if __name__ == "__main__":
    unittest.main()

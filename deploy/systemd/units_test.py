#!/usr/bin/env python3
"""Checks the systemd units as the Debian package installs them, without a running systemd.

Usage: units_test.py ROUTER DENSE_WORKER EXPERT_WORKER APOLLO [unittest's arguments]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

# Not resolve(), because Bazel's files are links.
HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE))
import units  # noqa: E402

PROGRAMS = [os.path.abspath(path) for path in sys.argv[1:5]]
INSTANCES = ["apollo-router.service", "apollo-dense-worker@0.service", "apollo-expert-worker@0.service"]
UNITS = pathlib.Path("lib/systemd/system")
MOST_EXPOSED = 15  # Of 100: systemd's "OK" begins at 40.


def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class UnitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        programs, cls.root = pathlib.Path(cls.folder.name) / "programs", pathlib.Path(cls.folder.name) / "root"
        programs.mkdir()
        for program in PROGRAMS:
            shutil.copy(program, programs)
        subprocess.run([HERE.parent / "debian" / "stage.sh", cls.root, programs], check=True)

    def command(self, unit):
        return units.command(self.root / UNITS / unit, self.root)

    def test_the_programs_have_the_flags(self):
        for unit in INSTANCES:
            program, *flags = self.command(unit)
            described = run(str(self.root) + program, "--help").stdout
            for flag in flags:
                found = re.fullmatch(r"--([a-z_]+)=(.*)", flag)
                self.assertIsNotNone(found, f"{unit}: {flag}")
                self.assertRegex(described, rf"(?m)^  --{found[1]}( |$)", unit)

    def test_the_programs_accept_the_settings_but_for_the_missing_model(self):
        for unit in INSTANCES:
            program, *flags = self.command(unit)
            result = run(str(self.root) + program, *(flag for flag in flags if not flag.startswith("--model=")))
            self.assertEqual(result.returncode, 1)
            self.assertIn("--model is missing", result.stdout)

    def test_every_setting_is_used(self):
        for unit in INSTANCES:
            path = re.sub("@0", "@", unit)
            text = (self.root / UNITS / path).read_text()
            file = units.read(self.root / UNITS / path)["EnvironmentFile"][0].replace("%i", "0")
            self.assertTrue(file.startswith("/etc/apollo-moe/"), file)
            used = set(re.findall(r"\$\{?([A-Z_]+)\}?", text))
            self.assertEqual(used, set(units.read_environment(self.root / file.lstrip("/"))), unit)

    def test_the_ports_differ_and_are_those_that_the_others_use(self):
        flags = [dict(flag[2:].split("=", 1) for flag in self.command(unit)[1:]) for unit in INSTANCES]
        router, dense, expert = flags
        ports = [process[kind] for process in flags for kind in ("listen", "metrics_listen")]
        self.assertEqual(len(set(ports)), len(ports))
        self.assertTrue(all(port.startswith("127.0.0.1:") for port in ports), ports)
        self.assertEqual(router["dense_workers"], dense["listen"])
        self.assertEqual(dense["expert_workers"], expert["listen"])

    def test_all_services_have_the_same_sandbox(self):
        sandboxes = []
        for path in sorted((self.root / UNITS).glob("*.service")):
            service = path.read_text().partition("[Service]")[2]
            sandboxes.append(re.search(r"(?ms)^# A process reads.*?^\[Install\]", service)[0])
        self.assertEqual(len(sandboxes), 3)
        self.assertEqual(len(set(sandboxes)), 1)

    def test_stopping_takes_longer_than_draining(self):
        for unit in INSTANCES:
            stop = units.read(self.root / UNITS / unit.replace("@0", "@"))["TimeoutStopSec"][0]
            self.assertGreater(int(stop.removesuffix("s")), 30 + 5, unit)  # --drain_timeout, and the last calls.

    def test_units_stop_in_the_opposite_order_of_their_start(self):
        # "verify" does not find cycles of stopping. Without this line, stopping apollo-moe.target is one.
        self.assertEqual(units.read(self.root / UNITS / "apollo-expert-workers.target")["Before"], ["apollo-moe.target"])
        before = {unit: units.read(self.root / UNITS / unit.replace("@0", "@")) for unit in INSTANCES}
        router, dense, expert = (before[unit] for unit in INSTANCES)
        self.assertIn("apollo-router.service", dense["Before"])
        self.assertIn("apollo-expert-workers.target", dense["After"][0].split())
        self.assertEqual(expert["Before"], ["apollo-expert-workers.target"])
        for service in (router, dense, expert):
            self.assertEqual(service["PartOf"], ["apollo-moe.target"])

    def test_systemd_understands_the_units(self):
        for unit in [*INSTANCES, "apollo-moe.target", "apollo-expert-workers.target"]:
            result = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={self.root}",
                         f"{self.root}/{UNITS}/{unit.replace('@0', '@')}")
            self.assertEqual((result.returncode, result.stdout), (0, ""), unit)

    def test_the_sandbox_is_tight(self):
        for unit in INSTANCES:
            result = run("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager",
                         f"--root={self.root}", unit)
            self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    del sys.argv[1:5]
    unittest.main()

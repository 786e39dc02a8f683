#!/usr/bin/env python3
"""Packs programs for processors, and runs all parts of run.sh that need no GPU from that file, in another folder."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

# Not resolve(), because Bazel's files are links.
HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE))

from parts import machine  # noqa: E402

BINARIES = HERE.parent.parent
PROGRAMS = ["router/router", "dense_worker/dense_worker", "expert_worker/expert_worker", "tools/apollo/apollo",
            "benchmarks/load/load", "benchmarks/gpu/random_model", "tests/gpu/golden_test", "tests/gpu/faults_test"]
PARTS = ["golden, rows over the host", "speed tiny", "faults, rows over the host"]


def run(*arguments, folder=None, **environment):
    return subprocess.run([str(HERE / "run.sh"), *arguments], cwd=folder, env={**os.environ, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class RunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.bundle = cls.folder / "bundle.tar.xz"
        subprocess.run([sys.executable, str(HERE / "pack.py"), "--bin", str(BINARIES), "--out", str(cls.bundle),
                        "--preset=0", "--most=64", *PROGRAMS], check=True)

    def test_the_bundle_runs_elsewhere(self):
        out = self.folder / "out"
        done = run("--bundle", str(self.bundle), "--device=cpu", "--out", str(out), "--seconds=1500",
                   folder=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("0 of 3 parts failed", done.stdout)
        results = json.loads((out / "results.json").read_text())
        self.assertEqual([(p["part"], p["status"]) for p in results["parts"]], [(name, "passed") for name in PARTS])
        golden, speed, _ = results["parts"]
        self.assertTrue(any(name.endswith("near_ties") for name in golden["figures"]), golden)
        self.assertGreater(speed["figures"]["tiny: decode 4 streams tokens/s"], 0)
        self.assertIn("part", (out / "report.txt").read_text())
        with tarfile.open(out / "logs.tar.xz") as archive:
            self.assertIn("logs/golden_host.log", archive.getnames())

    def test_a_wrong_answer_fails(self):
        root = self.folder / "wrong"
        with tarfile.open(self.bundle) as archive:
            archive.extractall(root)  # Our own file.
        path = root / "tests/golden/wide/expected.json"
        path.chmod(0o644)
        expected = json.loads(path.read_text())
        first = expected["runs"][0]
        first["ids"][0], first["top"][0] = 1, [[1, -0.1], [2, -5.0]]
        path.write_text(json.dumps(expected))
        done = run("--bundle", str(root), "--device=cpu", "--parts=golden-rows-over-the-host", "--seconds=1500")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("1 of 1 parts failed: golden, rows over the host", done.stdout)


class WithoutGpuTest(unittest.TestCase):
    def setUp(self):
        if not machine.missing_gpu():
            self.skipTest("there is a GPU")

    def test_it_says_so(self):
        done = run(REQUIRE_GPU="")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("SKIPPED: no GPU ("), done.stdout)

    def test_it_fails_if_one_is_required(self):
        done = run(REQUIRE_GPU="1")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith("SKIPPED: no GPU ("), done.stdout)


class UsageTest(unittest.TestCase):
    def test_wrong_usage(self):
        for arguments in (["--device=gpu"], ["--parts=x"], ["--device=cpu", "--bundle=/"],
                          ["--device=cpu", "--bundle=/not/there"], ["--x"]):
            self.assertEqual(run(*arguments).returncode, 2, arguments)

    def test_help(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--bundle", done.stdout)


if __name__ == "__main__":
    unittest.main()

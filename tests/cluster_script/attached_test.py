#!/usr/bin/env python3
"""`cluster.py attached`, which tests in other languages drive, with stand-ins for the programs.

Usage: attached_test.py CLUSTER_PY FAKE_PROCESS [unittest's arguments]
"""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

CLUSTER, FAKE = (os.path.abspath(path) for path in sys.argv[1:3])
PROGRAMS = ("router/router", "dense_worker/dense_worker", "expert_worker/expert_worker", "deploy/local/apollo_local",
            "tools/apollo/apollo")


class AttachedTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for program in PROGRAMS:
            path = self.folder / "bin" / program
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FAKE, path)
        (self.folder / "config.json").write_text('{"num_experts": 3}')

    def start(self, *flags, environment=None):
        process = subprocess.Popen(
            [sys.executable, CLUSTER, "attached", f"--model={self.folder}", f"--bin={self.folder}/bin",
             f"--state={self.folder}/state", *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)
        return process, json.loads(process.stdout.readline())

    def ask(self, process, **request):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def log(self, name):
        return (self.folder / "state" / f"{name}.log").read_text()

    def expect_end_of(self, answer, end):
        """All processes have ended after end()."""
        watched = [os.pidfd_open(process["pid"]) for process in answer["processes"]]
        for descriptor in watched:
            self.addCleanup(os.close, descriptor)
        self.assertEqual(select.select(watched, [], [], 0)[0], [])
        end()
        for descriptor in watched:  # Readable once its process has ended.
            self.assertEqual(select.select([descriptor], [], [], 60)[0], [descriptor])

    def test_names_flags_and_lists(self):
        _, answer = self.start("--dense-workers=2", "--expert-workers=7", "--routers=2", "--worker-flag=--a=1",
                               "--dense-flag=--b=2", "--expert-flag=--c=3", "--router-flag=--d=4")
        names = [process["name"] for process in answer["processes"]]
        # As many expert workers as experts.
        self.assertEqual(names, ["expert-worker-0", "expert-worker-1", "expert-worker-2", "dense-worker-0",
                                 "dense-worker-1", "router", "router-1"])
        self.assertIn("--experts=2 ", self.log("expert-worker-2"))
        for name, flags in (("expert-worker-0", "--a=1 --c=3"), ("dense-worker-1", "--a=1 --b=2"),
                            ("router-1", "--d=4")):
            self.assertIn(flags, self.log(name))
        addresses = {process["name"]: process["address"] for process in answer["processes"]}
        listed = (self.folder / "state/dense_workers.list").read_text().split()
        self.assertEqual(listed, [addresses["dense-worker-0"], addresses["dense-worker-1"]])

    def test_a_dense_model_may_have_any_number_of_expert_workers(self):
        (self.folder / "config.json").write_text('{"model_type": "qwen3"}')
        _, answer = self.start("--expert-workers=5")
        self.assertEqual(len(answer["processes"]), 7)
        self.assertIn("--experts=all ", self.log("expert-worker-4"))

    def test_processes_that_share_a_gpu_have_their_own_host_ids(self):
        self.start("--own-host-ids")
        for name in ("expert-worker-0", "dense-worker-0"):
            self.assertIn(f"NCCL_HOSTID: {name}\n", self.log(name))

    def test_host_ids_are_those_of_the_machine(self):
        self.start(environment={"NCCL_HOSTID": "x"})
        self.assertIn("NCCL_HOSTID: x\n", self.log("dense-worker-0"))

    def test_all_roles_in_one_process(self):
        _, answer = self.start("--expert-workers=0", "--local-flag=--x=1")
        self.assertEqual([process["name"] for process in answer["processes"]], ["local"])
        self.assertIn("--x=1", self.log("local"))

    def test_one_is_killed_stopped_and_started_again(self):
        process, before = self.start()
        self.assertIn("error", self.ask(process, do="start", name="expert-worker-0"))
        self.assertEqual(self.ask(process, do="kill", name="expert-worker-0"), {})
        after = self.ask(process, do="start", name="expert-worker-0", flags=["--new=1"])
        self.assertNotEqual(before["processes"][0]["pid"], after["processes"][0]["pid"])
        self.assertEqual(before["processes"][1:], after["processes"][1:])
        self.assertIn("--new=1", self.log("expert-worker-0"))
        listed = (self.folder / "state/expert_workers.list").read_text()
        self.assertEqual(listed, after["processes"][0]["address"] + "\n")
        self.assertEqual(self.ask(process, do="stop", name="router"), {"exit_code": 0})
        self.assertEqual(self.ask(process, do="stop", name="router"), {"exit_code": 0})
        self.assertEqual(self.ask(process, do="kill", name="dense-worker-0"), {})
        self.assertEqual(self.ask(process, do="stop", name="dense-worker-0"), {"exit_code": 128 + signal.SIGKILL})
        for wrong in ({"do": "kill", "name": "x"}, {"do": "dance", "name": "router"}, {}):
            self.assertIn("error", self.ask(process, **wrong))

    def test_a_process_that_does_not_stop(self):
        process, answer = self.start("--grace=1", environment={"FAKE_STUBBORN": "router"})
        stopped = lambda: self.assertEqual(  # noqa: E731
            self.ask(process, do="stop", name="router"), {"error": "router did not end within 1 s: killed"})
        self.expect_end_of({"processes": answer["processes"][-1:]}, stopped)

    def test_the_end_of_the_input_ends_all(self):
        process, answer = self.start(environment={"FAKE_STUBBORN": "dense-worker-0"})
        self.expect_end_of(answer, process.stdin.close)
        self.assertEqual(process.wait(), 0)

    def test_its_own_end_ends_all(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            process, answer = self.start(environment={"FAKE_STUBBORN": "expert-worker-0"})
            self.expect_end_of(answer, lambda: process.send_signal(number))  # pylint: disable=cell-var-from-loop

    def test_a_process_that_does_not_start(self):
        process, answer = self.start(environment={"FAKE_DIE": "dense-worker-0"})
        self.assertIn("dense-worker-0 has ended during the start", answer["error"])
        self.assertIn("cannot read the model", answer["error"])
        process.stdin.close()
        self.assertEqual(process.wait(), 0)


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()

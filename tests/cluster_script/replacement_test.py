#!/usr/bin/env python3
"""cluster.sh with the real programs and a tiny model: workers that die are replaced, and requests succeed again.

Usage: replacement_test.py CLUSTER_PY BINARIES MODEL [unittest's arguments]
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "ports"))
from stable_ports import ports_of  # noqa: E402

CLUSTER, BINARIES, MODEL = (os.path.abspath(path) for path in sys.argv[1:4])
CLIENT = os.path.join(BINARIES, "tools/apollo/apollo")
SECONDS = 120  # More than anything here takes on a busy machine.
# The client gives up a connection that takes longer than a second, which says nothing about the cluster.
BUSY = "connection attempt timed out"


class ReplacementTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = pathlib.Path(folder.name) / "state"
        self.addCleanup(self.run_script, "down")

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, CLUSTER, *arguments, f"--state={self.state}", f"--bin={BINARIES}"],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def succeed(self, *arguments):
        result = self.run_script(*arguments)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout

    def up(self, *more):
        """Starts a cluster whose ports nobody takes while a process is replaced."""
        self.state.mkdir()
        names = ["router", *(f"{role}-worker-{i}" for role in ("expert", "dense") for i in range(2))]
        (self.state / "ports").write_text(json.dumps(ports_of(names)))
        self.succeed("up", f"--model={MODEL}", "--port=0", "--expert-workers=2", "--dense-workers=2", "--threads=1",
                     "--cache-megabytes=16", f"--timeout={SECONDS}", *more)

    def pid(self, name):
        return int((self.state / f"{name}.pid").read_text().split()[0])

    def address(self, name):
        return (self.state / f"{name}.address").read_text().split()[1]

    def answer(self):
        """Returns the text of the answer to a fixed question, or None if the request fails."""
        command = [CLIENT, "--server", self.address("router"), "--json", "ask", "--temperature", "0",
                   "--max_new_tokens", "8", "How are you?"]
        while True:
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
            if result.returncode == 0:
                break
            if BUSY not in result.stderr:
                return None
        events = [json.loads(line) for line in result.stdout.splitlines()]
        return [event["delta"] for event in events if "delta" in event]

    def kill(self, name):
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def eventually(self, happened):
        end = time.monotonic() + SECONDS
        while not happened():
            self.assertLess(time.monotonic(), end, self.run_script("status").stdout)
            time.sleep(0.05)

    def test_a_killed_worker_is_restarted_by_a_command(self):
        self.up()
        before = self.answer()
        self.assertTrue(before)
        for name in ("expert-worker-1", "dense-worker-0"):
            others = {other: self.pid(other) for other in ("expert-worker-0", "dense-worker-1", "router")}
            address, killed = self.address(name), self.kill(name)
            self.eventually(lambda: "dead" in self.run_script("status").stdout)
            self.succeed("restart", name)
            self.assertNotEqual(self.pid(name), killed)
            self.assertEqual(self.address(name), address)
            self.assertEqual({other: self.pid(other) for other in others}, others)
            self.assertEqual(self.answer(), before)
        self.assertRegex(self.succeed("status"), r"(?m)^expert-worker-1 .* 1 +[?] +SERVING$")

    def test_a_running_worker_is_drained_and_restarted(self):
        self.up()
        before, pid, address = self.answer(), self.pid("expert-worker-0"), self.address("expert-worker-0")
        output = self.succeed("restart", "expert-worker-0")
        self.assertIn("stopping expert-worker-0", output)
        self.assertNotIn("killed", output)
        self.assertIn('"stopping"', (self.state / "expert-worker-0.log").read_text())
        self.assertNotEqual(self.pid("expert-worker-0"), pid)
        self.assertEqual(self.address("expert-worker-0"), address)
        self.assertEqual(self.answer(), before)

    def test_workers_come_and_go_while_it_serves(self):
        self.up()
        before, answers, ended = self.answer(), [], threading.Event()
        self.assertTrue(before)

        def ask():
            while not ended.is_set():
                answers.append(self.answer())
        client = threading.Thread(target=ask)
        client.start()
        try:
            for arguments in (("add", "expert-worker"), ("remove", "expert-worker-0"), ("add", "dense-worker"),
                              ("remove", "dense-worker-0"), ("remove", "expert-worker-1")):
                output = self.succeed(*arguments)
                self.assertNotIn("killed", output)
                count = len(answers)
                self.eventually(lambda: len(answers) > count + 1)  # pylint: disable=cell-var-from-loop
        finally:
            ended.set()
            client.join()
        self.assertEqual([answer for answer in answers if answer != before], [])
        self.assertRegex(self.succeed("status"), r"(?m)^expert-worker-2 .* SERVING$")

    def test_all_processes_are_restarted_in_turn(self):
        self.up()
        before = self.answer()
        pids = {name: self.pid(name) for name in ("expert-worker-0", "expert-worker-1", "dense-worker-0", "router")}
        output = self.succeed("rolling-restart")
        self.assertNotIn("killed", output)
        self.assertIn("starting a substitute for expert-worker-0", output)
        for name, pid in pids.items():
            self.assertNotEqual(self.pid(name), pid)
        self.assertEqual(self.answer(), before)

    def test_a_killed_worker_is_restarted_by_the_supervisor(self):
        self.up("--supervise")
        before = self.answer()
        self.assertTrue(before)
        for name in ("expert-worker-1", "dense-worker-1", "router"):
            address, killed = self.address(name), self.kill(name)
            self.eventually(lambda: self.pid(name) != killed)  # pylint: disable=cell-var-from-loop
            self.eventually(lambda: self.run_script("status").returncode == 0)
            self.assertEqual(self.address(name), address)
            self.assertEqual(self.answer(), before)
        self.assertRegex(self.succeed("status"), r"(?m)^router .* 1 +SIGKILL +SERVING$")
        self.succeed("down")
        self.assertIn("router has ended (exit: SIGKILL)", (self.state / "supervisor.log").read_text())


if __name__ == "__main__":
    del sys.argv[1:4]
    unittest.main()

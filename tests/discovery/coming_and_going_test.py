#!/usr/bin/env python3
"""Workers that come and go while a cluster serves: lists in DNS, and SIGTERM, with the real programs and a tiny model.

Usage: coming_and_going_test.py BINARIES MODEL [unittest's arguments]
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

HERE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ports")]
from local_dns import LocalDns  # noqa: E402
from stable_ports import stable_port  # noqa: E402

BINARIES, MODEL = (os.path.abspath(path) for path in sys.argv[1:3])
CLIENT = os.path.join(BINARIES, "tools/apollo/apollo")
SECONDS = 120  # More than anything here takes on a busy machine.
EXPERTS = 7  # Of the model.
# The client gives up a connection that takes longer than a second, which says nothing about the cluster.
BUSY = "connection attempt timed out"


class Asking(threading.Thread):
    """Asks the same question again and again, and keeps the failures and all answers that were different."""

    def __init__(self, ask):
        super().__init__()
        self._ask, self._ended = ask, threading.Event()
        self.count, self.answers, self.failures = 0, set(), []

    def run(self):
        while not self._ended.is_set():
            answer, error = self._ask()
            self.count += 1
            if answer is None:
                self.failures.append(error)
            else:
                self.answers.add(answer)

    def end(self):
        self._ended.set()
        self.join()


class ComingAndGoingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.dns = LocalDns(self.folder)
        self.addCleanup(self.dns.stop)
        self.hosts = {"dense.test": [], "experts.test": []}
        self.dense_port, self.expert_port = stable_port("0.0.0.0"), stable_port("0.0.0.0")  # At all addresses.
        self.processes = {}

    def start(self, name, program, host, port, *flags):
        """Starts a process. All workers of a role have one port, each at an address of its own."""
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [os.path.join(BINARIES, program), f"--model={MODEL}", f"--name={name}", f"--listen={host}:{port}",
                 f"--address_file={self.folder}/{name}.address", f"--dns_server={self.dns.address}", *flags],
                stdout=log, stderr=log)
        self.processes[name] = process
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def router(self):
        self.start("router", "router/router", "127.0.0.1", 0, f"--dense_workers=dns:dense.test:{self.dense_port}")

    def dense(self, number):
        self.start(f"dense-worker-{number}", "dense_worker/dense_worker", f"127.0.0.{number + 2}", self.dense_port,
                   f"--expert_workers=dns:experts.test:{self.expert_port}", "--threads=1", "--cache_megabytes=16")

    def expert(self, number, experts):
        self.start(f"expert-worker-{number}", "expert_worker/expert_worker", f"127.0.0.{number + 2}", self.expert_port,
                   f"--expert_workers=dns:experts.test:{self.expert_port}", "--threads=1", "--cache_megabytes=16",
                   f"--experts={experts}")

    def list_in_dns(self, dense, experts):
        self.hosts = {"dense.test": [f"127.0.0.{number + 2}" for number in dense],
                      "experts.test": [f"127.0.0.{number + 2}" for number in experts]}
        self.dns.set_hosts(self.hosts)

    def address(self):
        return (self.folder / "router.address").read_text().split()[1]

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def eventually(self, happened, what):
        end = time.monotonic() + SECONDS
        while not happened():
            if time.monotonic() >= end:
                logs = "\n".join(f"{name}: {self.log(name)[-2000:]}" for name in self.processes)
                self.fail(f"expected eventually: {what}\n{logs}")
            time.sleep(0.05)

    def ask(self):
        """Returns the answer to a fixed question and None, or None and the error."""
        command = [CLIENT, "--server", self.address(), "--json", "ask", "--temperature", "0", "--max_new_tokens", "24",
                   "How are you?"]
        while True:
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
            if result.returncode == 0:
                break
            if BUSY not in result.stderr:
                return None, result.stderr
        events = [json.loads(line) for line in result.stdout.splitlines()]
        return json.dumps([event["delta"] for event in events if "delta" in event]), None

    def serving(self):
        result = subprocess.run([CLIENT, "--server", self.address(), "health"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
        return result.stdout.strip() == "SERVING"

    def await_serving(self):
        self.eventually(lambda: (self.folder / "router.address").exists() and self.serving(), "the router serves")

    def links_of(self, name):
        """Returns the names of the workers that a worker has links to now."""
        open_links = []
        for line in self.log(name).splitlines():
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "link_opened":
                open_links.append(event["peer"])
        return set(open_links)

    def terminate(self, name):
        """Sends SIGTERM and waits for the end, whose exit code must be 0."""
        self.processes[name].send_signal(signal.SIGTERM)
        self.assertEqual(self.processes[name].wait(SECONDS), 0, self.log(name))

    def begin(self):
        """Starts a cluster of one router, one dense worker and two expert workers. Returns its answer."""
        self.router()
        self.dense(0)
        self.expert(0, "0,2,4,6")
        self.expert(1, "1,3,5")
        self.list_in_dns([0], [0, 1])
        self.await_serving()
        answer, error = self.ask()
        self.assertIsNotNone(answer, error)
        return answer

    def asking(self):
        """Asks from now on."""
        asking = Asking(self.ask)
        self.addCleanup(asking.end)
        asking.start()
        return asking

    def test_processes_wait_for_dns_and_for_each_other(self):
        self.dns.set_hosts({})
        self.router()
        self.eventually((self.folder / "router.address").exists, "the router listens")
        self.assertFalse(self.serving())
        self.dense(0)
        self.list_in_dns([0], [0])
        self.eventually(lambda: "link_lost" in self.log("dense-worker-0"), "the dense worker dials")
        self.expert(0, "all")
        self.await_serving()
        answer, error = self.ask()
        self.assertIsNotNone(answer, error)
        # Without DNS, the last lists stay.
        self.dns.stop()
        self.eventually(lambda: "workers_list_rejected" in self.log("router").rpartition("workers_list_changed")[2],
                        "the router notices that DNS is gone")
        self.assertEqual(self.ask(), (answer, None))

    def test_new_workers_are_used_and_old_ones_leave_unnoticed(self):
        answer = self.begin()
        asking = self.asking()
        # A new expert worker is found by dense workers and by its peers.
        self.expert(2, "all")
        self.list_in_dns([0], [0, 1, 2])
        for name in ("dense-worker-0", "expert-worker-0", "expert-worker-1"):
            self.eventually(lambda: "expert-worker-2" in self.links_of(name),  # pylint: disable=cell-var-from-loop
                            f"{name} finds expert-worker-2")
        # A new dense worker is found by the router.
        self.dense(1)
        self.list_in_dns([0, 1], [0, 1, 2])
        self.eventually(lambda: self.log("router").count("dense_worker_found") == 2, "the router finds dense-worker-1")
        # The old ones leave; DNS is told afterwards.
        for name in ("expert-worker-0", "dense-worker-0", "expert-worker-1"):
            before = asking.count
            self.eventually(lambda: asking.count > before + 1, "an answer")  # pylint: disable=cell-var-from-loop
            self.terminate(name)
            self.assertIn('"drained"', self.log(name))
        self.list_in_dns([1], [2])
        before = asking.count
        self.eventually(lambda: asking.count > before + 1, "an answer")
        asking.end()
        self.assertEqual(asking.failures, [])
        self.assertEqual(asking.answers, {answer})

    def test_a_last_dense_worker_finishes_its_sequences(self):
        answer = self.begin()
        askings = [self.asking() for _ in range(4)]
        self.eventually(lambda: all(asking.count > 1 for asking in askings), "answers")
        self.terminate("dense-worker-0")
        self.eventually(lambda: not self.serving(), "the router is not ready")
        for asking in askings:
            asking.end()
            # Nothing that had been started failed, and nothing else could be started.
            self.assertEqual([error for error in asking.failures if "no dense worker is ready" not in error], [])
            self.assertEqual(asking.answers, {answer})

    def test_wrong_lists_are_refused(self):
        for program, flag, wrong in (("router/router", "dense_workers", "dns:a b:1"),
                                     ("dense_worker/dense_worker", "expert_workers", "dns:workers:x"),
                                     ("expert_worker/expert_worker", "expert_workers", "dns:10.0.0.1:7101"),
                                     ("router/router", "dns_server", "localhost")):
            flags = [f"--{flag}={wrong}"]
            if flag == "dns_server":
                flags.append("--dense_workers=dns:workers:1")
            result = subprocess.run([os.path.join(BINARIES, program), f"--model={MODEL}", *flags],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                                    timeout=SECONDS)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn(f"--{flag}", result.stdout)


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()

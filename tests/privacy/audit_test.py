#!/usr/bin/env python3
"""The audit log of a real router: what it has, what a kill leaves, and what a full disk does.

Usage: audit_test.py BINARIES ROOT [unittest's arguments]
"""

import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import api  # noqa: E402
from cluster import SECONDS, Cluster  # noqa: E402

BINARIES, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
MODEL = os.path.join(ROOT, "tests/golden/published")


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = api.load(ROOT)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.cluster = Cluster(BINARIES, MODEL, self.folder)
        self.addCleanup(self.cluster.stop)
        # Of an earlier router: larger than the process's own log, to which a limit of the size of files applies, too.
        (self.folder / "audit").write_text('{"event":"earlier"}\n' * 30_000, encoding="ascii")
        # A router without workers, which answers with nothing.
        self.cluster.start("router", "tests/privacy/leaky_router", f"--audit_log={self.folder}/audit",
                           "--audit_max_megabytes=1", "--audit_files=1000")
        self.connect()

    def connect(self):
        self.router = api.Api(self.messages, self.cluster.addresses("router")[0])
        self.addCleanup(self.router.close)

    def ask(self, name, prompt="fever?"):
        return list(self.router.generate(self.messages.GenerateRequest(request_id=name, prompt=prompt)))

    def lines(self):
        """Returns all lines, the oldest first; each must be whole."""
        files = sorted(self.folder.glob("audit*"), key=lambda file: -int(file.suffix[1:] or 0))
        texts = [file.read_text(encoding="ascii") for file in files]
        self.assertTrue(all(text.endswith("\n") for text in texts if text))
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        self.assertEqual(sum(line["event"] == "earlier" for line in lines), 30_000)
        return [line for line in lines if line["event"] != "earlier"]

    def eventually(self, happened, what):
        end = time.monotonic() + SECONDS
        while not happened():
            self.assertLess(time.monotonic(), end, f"{what}; {self.cluster.log('router')[-2000:]}")
            time.sleep(0.05)

    def metric(self, name):
        address = self.cluster.addresses("router")[1]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as response:
            for line in response.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[1])
        return None

    def test_all_methods_with_text(self):
        self.ask("one")
        self.router.call("Complete", self.messages.GenerateRequest(prompt="x"), "CompleteResponse")
        self.router.call("Tokenize", self.messages.TokenizeRequest(text="x"), "TokenizeResponse")
        self.router.call("DetectLanguage", self.messages.DetectLanguageRequest(text="x"), "DetectLanguageResponse")
        self.router.call("GetModel", self.messages.GetModelRequest(), "GetModelResponse")
        with self.assertRaises(grpc.RpcError):
            self.ask("two", prompt="")
        self.cluster.stop()
        got = [(line["event"], line.get("method"), line.get("code")) for line in self.lines()]
        self.assertEqual(got[0][0], "log_opened")
        self.assertCountEqual(got[1:], [
            ("request_started", "Generate", None), ("request_ended", "Generate", "OK"),
            ("request_started", "Complete", None), ("request_ended", "Complete", "OK"),
            ("request_ended", "Tokenize", "OK"), ("request_ended", "DetectLanguage", "OK"),
            ("request_ended", "Generate", "INVALID_ARGUMENT")])

    def test_a_killed_router_has_all_that_it_has_answered(self):
        answered = []

        def ask_on(worker):
            router = api.Api(self.messages, self.cluster.addresses("router")[0])
            for number in range(1_000_000):
                name = f"{worker}-{number}"
                try:
                    for _ in router.generate(self.messages.GenerateRequest(request_id=name, prompt="x")):
                        answered.append(name)  # Of each event.
                except grpc.RpcError:
                    break
            router.close()

        threads = [threading.Thread(target=ask_on, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        self.eventually(lambda: len(answered) > 400, "requests are answered")
        self.cluster.kill("router", signal.SIGKILL)
        for thread in threads:
            thread.join(SECONDS)
        # As a kill within a write leaves it.
        with open(self.folder / "audit", "a", encoding="ascii") as file:
            file.write('{"time":"2026')
        self.cluster.run("router")
        self.connect()
        self.ask("after")
        lines = self.lines()
        started = {line["request_id"] for line in lines if line["event"] == "request_started"}
        self.assertLessEqual(set(answered) | {"after"}, started)
        opened = [line["dropped_bytes"] for line in lines if line["event"] == "log_opened"]
        self.assertEqual((len(opened), opened[0]), (2, 0))
        self.assertGreaterEqual(opened[1], len('{"time":"2026'))

    def test_a_full_disk_refuses_calls_until_there_is_room(self):
        self.ask("before")
        pid = self.cluster.processes["router"].pid
        # A limit of the size of files acts like a full disk.
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        size = (self.folder / "audit").stat().st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        for _ in range(3):
            with self.assertRaises(grpc.RpcError) as raised:
                self.ask("refused")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
            trailers = dict(raised.exception.trailing_metadata())
            self.assertIn("grpc-retry-pushback-ms", trailers)
        with self.assertRaises(grpc.RpcError) as raised:
            self.router.call("Tokenize", self.messages.TokenizeRequest(text="x"), "TokenizeResponse")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.metric("apollo_audit_failing"), 1)
        self.assertEqual(self.metric("apollo_audit_refused_calls_total"), 4)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        self.eventually(lambda: self.metric("apollo_audit_failing") == 0, "the router recovers")
        self.ask("after")
        self.cluster.stop()
        lines = self.lines()
        self.assertEqual([line["refused_calls"] for line in lines if line["event"] == "log_resumed"], [4])
        self.assertNotIn("refused", {line.get("request_id") for line in lines})
        self.assertEqual({line["request_id"] for line in lines if line["event"] == "request_started"},
                         {"before", "after"})
        self.assertEqual(self.cluster.log("router").count('"audit_failed"'), 1)
        self.assertEqual(self.cluster.log("router").count('"audit_recovered"'), 1)

    def test_rotation_loses_no_line_and_a_second_router_does_not_start(self):
        for number in range(20):
            self.ask(f"r-{number}")
            if number % 5 == 4:
                os.rename(self.folder / "audit", self.folder / f"audit.{900 - number}")
        self.ask("last")  # Creates the file again.
        self.cluster.start("second", "tests/privacy/leaky_router", f"--audit_log={self.folder}/audit")
        self.assertEqual(self.cluster.processes.pop("second").wait(SECONDS), 1)
        self.assertIn("is written by another process", self.cluster.log("second"))
        self.cluster.stop()
        started = [line["request_id"] for line in self.lines() if line["event"] == "request_started"]
        self.assertCountEqual(started, [*(f"r-{number}" for number in range(20)), "last"])


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()

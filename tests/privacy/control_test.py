#!/usr/bin/env python3
"""The canary test would find a leak: a router that leaks on purpose is caught, whatever channel it leaks by.

Usage: control_test.py BINARIES ROOT [unittest's arguments]
"""

import os
import pathlib
import signal
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import api  # noqa: E402
import canaries  # noqa: E402
import look  # noqa: E402
from cluster import SECONDS, Cluster  # noqa: E402
from collector import Collector  # noqa: E402
from sweep import Sweep  # noqa: E402

BINARIES, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
MODEL = os.path.join(ROOT, "tests/golden/published")


def dumps_go_to_the_working_folder():
    return not pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").startswith(("|", "/"))


class ControlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = api.load(ROOT)

    def channels_of(self, leak, *flags):
        """Returns the channels in which canaries are found when a router leaks."""
        before = set(os.listdir("/tmp"))
        folder = self.enterContext(tempfile.TemporaryDirectory())
        cluster = Cluster(BINARIES, MODEL, folder)
        self.addCleanup(cluster.stop)
        spans = Collector(BINARIES)
        self.addCleanup(spans.stop)
        cluster.start("router", "tests/privacy/leaky_router", f"--leak={leak}", f"--audit_log={folder}/router.audit",
                      f"--trace_endpoint={spans.address}", *flags)
        router = api.Api(self.messages, cluster.addresses("router")[0])
        self.addCleanup(router.close)
        found = canaries.Canaries()
        errors = []
        for name, phrase in canaries.PHRASES.items():
            found.add_text(name, phrase)
        for phrase in canaries.PHRASES.values():
            try:
                ids = router.call("Tokenize", self.messages.TokenizeRequest(text=phrase), "TokenizeResponse").token_ids
                found.add_tokens("tokens", ids)
                for _ in router.generate(self.messages.GenerateRequest(prompt=phrase)):
                    pass
            except grpc.RpcError as error:
                errors.append(error)
        sweep = Sweep(found)
        if leak == "core":
            self.assertEqual(cluster.processes["router"].wait(SECONDS), -signal.SIGABRT)
        else:
            look.at_processes(sweep, cluster, [router])
        cluster.stop()
        look.at_files(sweep, cluster, before)
        traces = spans.take()
        sweep.look("traces", traces)
        if leak != "core":
            self.assertIn(b"apollo.v1.InferenceService/Generate", traces)
        for error in errors:
            sweep.look_at_error("errors", error)
        return {channel for channel, _ in sweep.leaks}

    def test_a_router_that_does_not_leak(self):
        self.assertEqual(self.channels_of("none"), set())

    def test_each_channel(self):
        for leak, channels in {
                "log": {"logs"}, "log_tokens": {"logs"}, "output": {"logs"}, "metrics": {"metrics"},
                "audit": {"audit log"}, "status": {"GetStatus"}, "file": {"files in work"}, "tmp": {"files in tmp"},
                "address": {"address files"}, "span_name": {"traces"}, "span_attribute": {"traces"},
                "span_event": {"traces"}, "span_tokens": {"traces"},
                # The log tells the reason, too.
                "error": {"errors", "logs"}}.items():
            with self.subTest(leak):
                self.assertEqual(self.channels_of(leak), channels)

    def test_a_core_dump(self):
        self.assertEqual(self.channels_of("core"), set())
        if dumps_go_to_the_working_folder():
            # The flag also lets gRPC trace what it receives (cluster.py), but only its errors are logged.
            self.assertEqual(self.channels_of("core", "--core_dumps"), {"core dumps"})


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()

#!/usr/bin/env python3
"""Nothing that a patient says, and nothing of an answer, is anywhere but in the answer: with the real programs and a tiny
model, in good requests and wrong ones, while processes are killed, crash, drain and are overloaded.

Usage: canary_test.py BINARIES ROOT [unittest's arguments]
"""

import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import api  # noqa: E402
import canaries  # noqa: E402
import look  # noqa: E402
import streams  # noqa: E402
import traffic  # noqa: E402
from cluster import SECONDS, Cluster  # noqa: E402
from collector import Collector  # noqa: E402
from sweep import Sweep  # noqa: E402

BINARIES, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
MODEL = os.path.join(ROOT, "tests/golden/published")
TOKENS = 200  # Of a stream's answer.
CALLS = 24  # That a router takes at once: the streams, and some more.


class CanaryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = api.load(ROOT)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.cluster = Cluster(BINARIES, MODEL, self.folder)
        self.spans = Collector(BINARIES)
        self.addCleanup(self.spans.stop)
        self.addCleanup(self.cluster.stop)
        self.canaries = canaries.Canaries()
        for name, phrase in canaries.PHRASES.items():
            self.canaries.add_text(name, phrase)
        self.errors = []
        self.routers = []
        self.before = set(os.listdir("/tmp"))
        self.addCleanup(lambda: [one.close() for one in self.routers])

    def start(self):
        self.cluster.start_all(
            router_flags=[f"--max_calls={CALLS}", f"--audit_log={self.folder}/NAME.audit"],
            # So small that sequences are preempted and their places used again.
            dense_flags=["--cache_megabytes=1", "--max_running=6"], expert_flags=["--cache_megabytes=1"],
            # A process that is killed is noticed at once; one that only waits for a processor is not lost.
            all_flags=["--lease=8s", f"--trace_endpoint={self.spans.address}"])
        for i in range(2):
            self.routers.append(api.Api(self.messages, self.cluster.addresses(f"router-{i}")[0]))
        for router in self.routers:
            self.eventually(lambda router=router: self.serves(router), "the routers serve")

    def serves(self, router):
        try:
            for _ in router.generate(self.messages.GenerateRequest(prompt="ready?", max_new_tokens=1)):
                pass
            return True
        except Exception:  # pylint: disable=broad-except
            return False

    def eventually(self, happened, what):
        end = time.monotonic() + SECONDS
        while not happened():
            if time.monotonic() >= end:
                logs = "\n".join(f"{name}: {self.cluster.log(name)[-2000:]}" for name in self.cluster.commands)
                self.fail(f"expected eventually: {what}\n{logs}")
            time.sleep(0.05)

    def on_error(self, name, error):
        self.errors.append((name, error))

    def on_answer(self, _text, ids):
        self.canaries.add_tokens("an answer", ids)

    def tell_all(self, router):
        for name, phrase in canaries.PHRASES.items():
            self.canaries.add_tokens(name, traffic.tell(router, phrase, self.on_error, self.on_answer))
            traffic.leave_early(router, phrase, self.on_error)

    def run_streams(self):
        """Starts the streams, each after its answer without any company. Returns them with their answers."""
        alone = []
        for number in range(len(streams.ALPHABETS)):
            request = streams.request_of(self.messages, number, TOKENS)
            stream = streams.Stream(self.routers, request)
            alone.append((stream, stream.once(self.routers[0])))
            self.canaries.add_tokens(f"stream {number}", alone[-1][1][1])
            self.canaries.add_text(f"stream {number}", alone[-1][1][0][:24])
        for stream, _ in alone:
            stream.start()
            self.addCleanup(stream.end)
        return alone

    def await_progress(self, running):
        for stream, _ in running:
            stream.moved.clear()
        self.eventually(lambda: all(stream.moved.is_set() for stream, _ in running), "all streams move on")

    def lose_processes(self, running):
        """Ends one process of each role after the other, by each of two signals, while the streams run."""
        for name in ("expert-worker-0", "dense-worker-1", "router-1"):
            for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
                self.await_progress(running)
                code = self.cluster.kill(name, number)
                self.assertEqual(code, 0 if number == signal.SIGTERM else -number, self.cluster.log(name)[-2000:])
                self.cluster.run(name)
                self.cluster.addresses(name)

    def check_streams(self, running):
        for number, (stream, (text, ids)) in enumerate(running):
            stream.end()
            stream.join(SECONDS)
            self.assertFalse(stream.is_alive())
            self.assertLessEqual(set(text), set(streams.ALPHABETS[number]))
            self.assertGreater(len(stream.answers), 0)
            for answer in stream.answers:
                self.assertEqual(answer, (text, ids), f"stream {number} has something else than when it is alone")
            self.errors += [(f"stream {number}", error) for error in stream.errors]

    def check_request_ids(self):
        """A request is named in the logs of all roles that have worked on it."""
        for role, event in (("router", "request_finished"), ("dense-worker", "sequence_finished"),
                            ("expert-worker", "sequence_closed")):
            lines = []
            for name in self.cluster.commands:
                if name.startswith(role):
                    lines += [json.loads(line) for line in self.cluster.log(name).splitlines() if line.startswith("{")]
            named = {line.get("request_id") for line in lines if line["event"] == event}
            self.assertIn("stream-0", named, f"{event} of {role}")

    def check_traces(self, traces):
        """Every role has sent spans, with attributes and events."""
        for name in ("apollo-router", "apollo.v1.InferenceService/Generate", "sequence_started", "apollo.language",
                     "apollo-dense-worker", "apollo.internal.v1.DenseWorkerService/Run", "decode",
                     "apollo-expert-worker", "first_rows_computed", "apollo.positions", "stream-0"):
            self.assertIn(name.encode(), traces)

    def check_no_dumps(self):
        """Whatever the machine does with dumps: not all leave files here."""
        for name, process in self.cluster.processes.items():
            facts = pathlib.Path(f"/proc/{process.pid}")
            self.assertRegex((facts / "limits").read_text(), r"Max core file size +[01] +[01] ", name)
            self.assertEqual((facts / "coredump_filter").read_text().strip(), "00000000", name)

    def test_nothing_leaks(self):
        self.start()
        self.check_no_dumps()
        running = self.run_streams()
        self.tell_all(self.routers[0])
        traffic.overload(self.routers[0], canaries.PHRASES["latin"], 4 * CALLS, self.on_error)
        early = Sweep(self.canaries)
        look.at_processes(early, self.cluster, self.routers)
        self.lose_processes(running)
        traffic.overload(self.routers[0], canaries.PHRASES["thai"], 4 * CALLS, self.on_error)
        for router in self.routers:
            self.eventually(lambda router=router: self.serves(router), "the routers serve again")
        self.check_streams(running)
        late = Sweep(self.canaries)
        look.at_processes(late, self.cluster, self.routers)
        self.cluster.stop()
        look.at_files(late, self.cluster, self.before)
        traces = self.spans.take()
        late.look("traces", traces)
        for _, error in self.errors:
            late.look_at_error("errors", error)
        self.assertEqual(sorted(set(early.leaks + late.leaks)), [])

        # Each channel was looked at, and each kind of trouble has happened.
        for channel in ("logs", "metrics", "audit log", "errors", "address files", "GetStatus", "GetRouting",
                        "traces"):
            self.assertGreater(late.bytes.get(channel, 0), 100, channel)
        codes = {error.code().name for _, error in self.errors}
        self.assertLessEqual({"INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"}, codes)
        self.check_request_ids()
        self.check_traces(traces)


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()

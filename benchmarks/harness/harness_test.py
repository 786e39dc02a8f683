#!/usr/bin/env python3
"""Tests of the benchmarks' computations and output, and that no process is left behind."""

import csv
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import unittest

# Not resolve(), because Bazel's files are links.
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent))

from harness import cluster, failure, measure, memory, packed, processes, processors, table  # noqa: E402


def stream(start, *tokens, group="running", prompt_tokens=10):
    return {"group": group, "start": start, "prompt_tokens": prompt_tokens, "tokens": list(tokens)}


class MeasureTest(unittest.TestCase):
    def test_percentile_is_linear_between_neighbours(self):
        values = [40, 10, 30, 20]
        self.assertEqual(measure.percentile(values, 0), 10)
        self.assertEqual(measure.percentile(values, 100), 40)
        self.assertEqual(measure.percentile(values, 50), 25)
        self.assertAlmostEqual(measure.percentile(values, 99), 39.7)
        self.assertEqual(measure.percentile([7], 99), 7)

    def test_percentile_of_nothing_is_an_error(self):
        with self.assertRaises(ValueError):
            measure.percentile([], 50)
        with self.assertRaises(ValueError):
            measure.percentile([1], 101)

    def test_decode_rate_counts_only_while_all_decode(self):
        # Both decode from 2 to 4: three tokens of the first, two of the second.
        both = [stream(0, 1, 2, 2.5, 3, 4), stream(0, 2, 3, 4, 5)]
        self.assertEqual(measure.decode_rate(both), 5 / 2)

    def test_decode_rate_of_one_stream_leaves_out_the_prompt(self):
        self.assertEqual(measure.decode_rate([stream(0, 10, 11, 12)]), 1)

    def test_decode_rate_without_common_time_is_an_error(self):
        with self.assertRaises(ValueError):
            measure.decode_rate([stream(0, 1, 2), stream(0, 3, 4)])

    def test_whole_rate_counts_all(self):
        self.assertEqual(measure.whole_rate([stream(0, 1, 2), stream(1, 3, 5)]), 4 / 5)

    def test_prefill_rate(self):
        self.assertEqual(measure.prefill_rate(stream(2, 4, prompt_tokens=512)), 256)

    def test_gaps_of_mixed_load(self):
        streams = [
            stream(0, 1, 2, 3, 6, 10, 11),
            # Before 2 it runs alone, so that is not idle time of all.
            stream(0, 2, 2.5, 7, 11),
            stream(5, 8, group="arriving"),
            stream(8, 9, group="arriving"),
        ]
        idle, mixed = measure.idle_and_mixed_gaps(streams)
        self.assertEqual(sorted(idle), [0.5, 1])
        # 3-6 and 2.5-7 touch the arrival at 5; 6-10 and 7-11 the end at 9; 10-11 neither.
        self.assertEqual(sorted(mixed), [3, 4, 4, 4.5])

    def test_best_is_the_highest_median(self):
        samples = measure.Samples()
        for name, values in (("a", [1, 2, 100]), ("b", [3, 4, 5])):
            for value in values:
                samples.add(name, value)
        self.assertEqual(samples.best(["a", "b", "absent"]), "b")
        self.assertEqual(samples.spread("a"), (1, 100))
        self.assertIsNone(samples.best(["absent"]))


class MemoryTest(unittest.TestCase):
    CONFIG = {"hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 3,
              "mlp_only_layers": [0, 1], "intermediate_size": 5, "moe_intermediate_size": 6, "num_experts": 7,
              "num_experts_per_tok": 2, "vocab_size": 11}

    def test_weights_per_token_by_hand(self):
        # A layer's attention: q, o 4x4 each, k, v 4x2 each.
        attention = 16 + 16 + 8 + 8
        dense, expert, gate = 3 * 4 * 5, 3 * 4 * 6, 7 * 4
        prefill = 3 * attention + 2 * dense + 2 * expert + gate
        self.assertEqual(memory.weights_per_token(self.CONFIG), {"prefill": prefill, "decode": prefill + 44})

    def test_dense_twin_by_hand(self):
        self.assertEqual(memory.dense_weights_per_token(self.CONFIG)["prefill"], 3 * 48 + 3 * 60)

    def test_the_head_of_an_int4_model_is_int8(self):
        weights = {"prefill": 800, "decode": 1000}
        self.assertEqual(memory.bytes_per_token(weights, "int4"), 800 * 5 / 8 + 200 * 8.5 / 8)
        self.assertEqual(memory.bytes_per_token(weights, "int8"), 1000 * 8.5 / 8)
        self.assertEqual(memory.bytes_per_token(weights, "bf16"), 2000)

    def test_of_this_process(self):
        total = memory.of_processes([os.getpid()])
        self.assertGreater(total["pss"], 0)
        self.assertLessEqual(total["pss"], total["rss"])
        self.assertLessEqual(total["rss"], total["peak"])


    def test_descendants(self):
        child = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        grandchild = int(child.stdout.readline())
        self.addCleanup(os.kill, grandchild, signal.SIGKILL)
        self.assertEqual(memory.with_descendants([child.pid]), [child.pid, grandchild])
        self.assertIn(grandchild, memory.with_descendants([os.getpid()]))


class PackedTest(unittest.TestCase):
    def test_the_format_is_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(packed.format_of(folder))
            path = pathlib.Path(folder, packed.FILE)
            header = b'{"__metadata__": {}, "vector|1|x": {}, "apollo-packed 1|abc+int4|int4|def": {}}  '
            path.write_bytes(len(header).to_bytes(8, "little") + header)
            self.assertEqual(packed.format_of(folder), "int4")
            for broken in (b"", b"\xff" * 20, (2).to_bytes(8, "little") + b"{}"):
                path.write_bytes(broken)
                with self.assertRaisesRegex(failure.Failure, "no file of packed weights"):
                    packed.format_of(folder)


class ProcessorsTest(unittest.TestCase):
    def test_all_that_is_started_has_the_first_processors(self):
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        self.assertEqual(processors.keep(1), [min(before)])
        child = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"],
                               capture_output=True, text=True, check=True)
        self.assertEqual(child.stdout.strip(), str({min(before)}))

    def test_more_threads_than_processors_are_an_error(self):
        before = os.sched_getaffinity(0)
        with self.assertRaisesRegex(failure.Failure, f"only {len(before)} processors"):
            processors.keep(len(before) + 1)
        self.assertEqual(os.sched_getaffinity(0), before)


class TableTest(unittest.TestCase):
    def test_numbers(self):
        for value, text in ((None, "-"), (1234, "1,234"), (1234.5, "1,234"), (12.345, "12.3"), (1.2345, "1.23"),
                            (0.012345, "0.0123"), (0.0, "0.00"), (-1.2345, "-1.23"), ("x", "x")):
            self.assertEqual(table.number(value), text)

    def test_markdown(self):
        self.assertEqual(table.markdown(["what", "x"], [["a", 1], ["bcdef", None]]),
                         "| what  | x |\n|-------|--:|\n| a     | 1 |\n| bcdef | - |")

    def test_a_row_of_another_length_is_an_error(self):
        with self.assertRaises(ValueError):
            table.markdown(["a", "b"], [["1"]])

    def test_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.csv")
            table.write_csv(path, ["a", "b"], [["x,y", None]])
            with open(path, encoding="utf-8", newline="") as file:
                self.assertEqual(list(csv.reader(file)), [["a", "b"], ["x,y", ""]])


class ImportTest(unittest.TestCase):
    def test_another_package_called_launch_does_not_matter(self):
        with tempfile.TemporaryDirectory() as folder:
            other = pathlib.Path(folder, "launch")
            other.mkdir()
            (other / "__init__.py").write_text("raise ImportError('the wrong package')\n")
            subprocess.run([sys.executable, "-c", "from harness import cluster"], check=True,
                           env={**os.environ, "PYTHONPATH": folder},
                           cwd=pathlib.Path(__file__).absolute().parent.parent)


SLEEPER = "import time\nprint('{}', flush=True)\ntime.sleep(1000)\n"


class ProcessTest(unittest.TestCase):
    def test_lines(self):
        script = """
for answer in ('noise\\n{"x": 1}', '{"x": 2}', '{"error": "no"}'):
    print(answer, flush=True)
    input()
"""
        peer = processes.LineProcess([sys.executable, "-c", script])
        self.assertEqual(peer.head, {"x": 1})
        self.assertEqual(peer.ask("run"), {"x": 2})
        with self.assertRaisesRegex(failure.Failure, "no"):
            peer.ask("run")
        peer.close()

    def test_asking_a_program_that_has_ended_shows_why(self):
        peer = processes.LineProcess([sys.executable, "-c", "print('{}', flush=True)\nraise SystemExit('the reason')"])
        peer.process.wait()
        with self.assertRaisesRegex(failure.Failure, "the reason"):
            peer.ask("run")
        peer.close()

    def test_a_peer_is_stopped_between_answers_and_then_goes_on(self):
        peer = processes.LineProcess([sys.executable, "-c", "while True: print('{}', flush=True); input()"],
                                     stopped=True)
        for _ in range(3):
            # Returns once it has stopped.
            found = os.waitid(os.P_PID, peer.process.pid, os.WSTOPPED)
            self.assertEqual(found.si_status, signal.SIGSTOP)
            self.assertEqual(peer.ask("go on"), {})
        peer.close()
        self.assertEqual(peer.process.returncode, -signal.SIGTERM)

    def test_a_program_that_ends_shows_why(self):
        with self.assertRaisesRegex(failure.Failure, "the reason"):
            processes.LineProcess([sys.executable, "-c", "raise SystemExit('the reason')"])
        with self.assertRaisesRegex(failure.Failure, "the reason"):
            processes.output([sys.executable, "-c", "raise SystemExit('the reason')"])

    def test_what_a_program_leaves_behind_ends_too(self):
        for stopped in (False, True):
            # Like a helper of Python's multiprocessing: only SIGKILL ends it.
            peer = processes.LineProcess(["bash", "-c", "(trap '' TERM; while true; do sleep 1000; done) & "
                                          "echo '{\"pid\": '$!'}'; read"], stopped=stopped)
            left = os.pidfd_open(peer.head["pid"])
            peer.close()
            self.assertEqual(select.select([left], [], [], 60)[0], [left])
            os.close(left)

    def test_what_a_killed_script_started_ends(self):
        script = ("import sys\nsys.path.insert(0, sys.argv[1])\nfrom harness import failure, processes\n"
                  "def main():\n  peer = processes.LineProcess([sys.executable, '-c', sys.argv[2]])\n"
                  "  print(peer.process.pid, flush=True)\n  peer.process.wait()\nfailure.run(main)\n")
        for number in (signal.SIGTERM, signal.SIGKILL):
            with subprocess.Popen([sys.executable, "-c", script, str(pathlib.Path(__file__).absolute().parent.parent),
                                   SLEEPER], stdout=subprocess.PIPE, text=True) as parent:
                child = os.pidfd_open(int(parent.stdout.readline()))
                parent.send_signal(number)
                parent.wait()
            # Readable once the child has ended.
            self.assertEqual(select.select([child], [], [], 60)[0], [child])
            os.close(child)

    def test_a_cluster_that_does_not_start_says_why_and_is_gone(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "deploy/local/apollo_local")
            program.parent.mkdir(parents=True)
            program.write_text("#!/bin/sh\necho 'no such model' >&2\nexit 1\n")
            program.chmod(0o755)
            broken = cluster.Cluster(folder, "/nowhere", threads=1)
            with self.assertRaisesRegex(failure.Failure, "no such model"):
                broken.__enter__()  # pylint: disable=unnecessary-dunder-call
            self.assertEqual([pid for pid in broken.pids() if os.path.exists(f"/proc/{pid}")], [])

    def test_flags_of_a_binary(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "deploy/local/apollo_local")
            program.parent.mkdir(parents=True)
            program.write_text("#!/bin/sh\necho '    --threads (Threads.); default: 0;'\nexit 1\n")
            program.chmod(0o755)
            self.assertTrue(cluster.knows_flag(folder, "threads"))
            self.assertFalse(cluster.knows_flag(folder, "weights"))
            self.assertFalse(cluster.knows_flag(folder, "thread"))


if __name__ == "__main__":
    unittest.main()

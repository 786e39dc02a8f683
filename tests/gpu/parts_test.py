#!/usr/bin/env python3
"""Tests of the parts of run.sh that need neither a bundle nor a GPU."""

import json
import os
import pathlib
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

# Not resolve(), because Bazel's files are links.
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))

import pack  # noqa: E402
import run  # noqa: E402
from parts import context, machine, programs, report, sanitizer, speed  # noqa: E402
from parts.context import FAILED, NOT_RUN, PASSED, SKIPPED, TIMEOUT, Context, Result  # noqa: E402

MANIFEST = {"programs": [], "glibc": [2, 34], "revision": "x"}


def part(name, result=None, optional=False):
    return run.Part(name, lambda _: result, optional=optional)


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def context(self, seconds=60, device="cpu"):
        return Context(str(self.folder), str(self.folder), device, seconds, MANIFEST)

    def script(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
        return str(path)


class ContextTest(FolderTest):
    def test_output_and_exit_code(self):
        outcome = self.context().run("x", [sys.executable, "-c", "print('a\\nb\\n'); raise SystemExit(3)"], 30)
        self.assertEqual((outcome.code, outcome.last_line), (3, "b"))
        self.assertEqual((self.folder / "logs/x.log").read_text(), "a\nb\n\n")
        result = context.failure(outcome)
        self.assertEqual((result.status, result.note), (FAILED, "exit code 3: b"))

    def test_limits_grow_with_the_time_of_the_whole(self):
        self.assertEqual([self.context(seconds).limit(40) for seconds in (100, 350, 700)], [40, 40, 80])

    def test_a_program_that_does_not_end_is_stopped_with_all_it_started(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        # Both ignore SIGTERM. The reader sees the end of the file once the writers, which are the two, have ended.
        script = self.script("stubborn", f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
out = os.open({str(fifo)!r}, os.O_WRONLY)
if len(sys.argv) == 1:
    subprocess.run([sys.argv[0], "child"], pass_fds=[out])
os.write(out, b"started")
signal.pause()
""")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        outcome = self.context().run("x", [script], 2)
        self.assertIsNone(outcome.code)
        self.assertEqual(context.failure(outcome).status, TIMEOUT)
        os.set_blocking(reader, True)
        while os.read(reader, 100):
            pass

    def test_programs_see_the_device_and_the_libraries(self):
        running = self.context(device="cuda:1")
        running.libraries = ["/a", "/b"]
        names = ("APOLLO_TEST_DEVICE", "LD_LIBRARY_PATH", "REQUIRE_GPU", "MORE")
        outcome = running.run("x", [sys.executable, "-c", f"import os; print([os.environ[n] for n in {names}])"], 30,
                              MORE="m")
        self.assertIn("['cuda:0', '/a:/b", outcome.text)
        self.assertIn("'1', 'm']", outcome.text)

    def test_programs_see_only_the_chosen_gpu(self):
        for shown, device, expected in ((None, "cuda:2", "2"), ("4,GPU-a,6", "cuda:1", "GPU-a"), ("4", "cuda:1", ""),
                                        ("4,5", "cuda:0", "4,5"), ("4,5", "cpu", "4,5")):
            with unittest.mock.patch.dict(os.environ, clear=False):
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
                if shown:
                    os.environ["CUDA_VISIBLE_DEVICES"] = shown
                variables = self.context(device=device).environment()
            self.assertEqual(variables["CUDA_VISIBLE_DEVICES"], expected)

    def test_no_time_is_left(self):
        self.assertEqual(self.context(seconds=0).left, 0)


class MachineTest(FolderTest):
    def test_the_newest_nccl_is_taken(self):
        def places(name):
            return {"libnccl.so.2": ["/a/n", "/b/n", "/c/n"], "libcublas.so.13": ["/a/c", "/b/c"]}.get(name, [])
        versions = {"/a/n": 22700, "/b/n": 22809, "/c/n": 0}
        found = machine.collect_libraries(str(self.folder / "cuda"), places, versions.get)
        self.assertEqual(found, {"libcublas.so.13": "/a/c", "libnccl.so.2": "/b/n"})
        self.assertEqual(sorted(os.listdir(self.folder / "cuda")), ["libcublas.so.13", "libnccl.so.2"])

    def test_a_newer_glibc_is_used(self):
        self.assertEqual(machine.use_glibc("/x", MANIFEST, [], "glibc 2.39"), "glibc 2.39")
        self.assertEqual(machine.use_glibc("/x", MANIFEST, [], "glibc 2.34"), "glibc 2.34")

    def test_with_an_older_glibc_programs_start_with_the_bundles(self):
        (self.folder / "router").mkdir()
        program = self.folder / "router/router"
        program.write_bytes(machine.PROGRAM_HEAD + b"x")
        manifest = {**MANIFEST, "programs": ["router/router"]}
        for _ in range(2):  # The second time there is nothing to do.
            note = machine.use_glibc(str(self.folder), manifest, ["/cuda"], "glibc 2.31")
            self.assertIn("glibc 2.31 is older than 2.34", note)
            self.assertEqual((self.folder / "router/router.real").read_bytes(), machine.PROGRAM_HEAD + b"x")
            self.assertIn(f"exec '{self.folder}/glibc/ld-linux-x86-64.so.2' --library-path '{self.folder}/glibc:"
                          f"{self.folder}/lib:/cuda", program.read_text())

    def test_measured_bounds(self):
        text = "NVIDIA H100, 132 multiprocessors\ncopies 3021 GB/s, bf16 products 798 TFLOPS\n"
        self.assertEqual(machine.measured(text), {"copy GB/s": 3021, "bf16 TFLOPS": 798})
        self.assertEqual(machine.measured("none"), {})


# Writes what GoogleTest would write, and ends with a code.
GTEST = """
import json, sys
path = next(a for a in sys.argv if a.startswith("--gtest_output=json:")).split(":", 1)[1]
json.dump({{"testsuites": [{{"testsuite": {cases}}}]}}, open(path, "w"))
raise SystemExit({code})
"""
RAN = {"name": "A", "result": "COMPLETED", "status": "RUN", "distance": "0.1"}
SKIP = {"name": "B", "result": "SKIPPED", "status": "RUN"}
WRONG = {"name": "C", "result": "COMPLETED", "status": "RUN", "failures": [{"failure": "no"}]}


class ProgramsTest(FolderTest):
    def run_test(self, cases, code=0):
        self.script("tests/x", GTEST.format(cases=cases, code=code))
        return programs.run_test(self.context(), "x", "tests/x", 30)

    def test_results(self):
        passed = self.run_test([RAN, RAN])
        self.assertEqual((passed.status, passed.note, passed.figures), (PASSED, "2 tests", {"A: distance": "0.1"}))
        self.assertEqual(self.run_test([RAN, SKIP]).note, "1 tests, 1 skipped")
        wrong = self.run_test([RAN, WRONG], code=1)
        self.assertEqual((wrong.status, wrong.note), (FAILED, "1 of 2 tests failed"))

    def test_a_program_that_tests_nothing_has_failed(self):
        for cases in ([SKIP], []):
            result = self.run_test(cases)
            self.assertEqual((result.status, result.note), (FAILED, "no test ran"))

    def test_a_program_that_crashes_has_failed(self):
        self.script("tests/x", "import os; os.abort()")
        result = programs.run_test(self.context(), "x", "tests/x", 30)
        self.assertEqual(result.status, FAILED)

    def test_one_of_several_that_fails(self):
        for name, cases, code in (("a", [RAN], 0), ("b", [WRONG], 1), ("c", [RAN], 0)):
            self.script(f"tests/{name}", GTEST.format(cases=cases, code=code))
        result = programs.run_all(self.context(), ["tests/a", "tests/b", "tests/c"], 30)
        self.assertEqual((result.status, result.note), (FAILED, "b: FAILED, 1 of 1 tests failed"))
        self.assertEqual(programs.run_all(self.context(), ["tests/a", "tests/c"], 30).status, PASSED)
        self.assertEqual(programs.run_all(self.context(), [], 30).status, FAILED)


class SanitizerTest(unittest.TestCase):
    def test_verdicts(self):
        for code, text, status in (
                (0, "========= ERROR SUMMARY: 0 errors", PASSED), (99, "========= Error: x", FAILED), (1, "", FAILED),
                (None, "========= COMPUTE-SANITIZER\n", TIMEOUT),
                (None, "========= Invalid __global__ read of size 4 bytes\n", FAILED),
                (None, "x\n========= Error: Race reported between Write access\n", FAILED),
                (1, "========= Error: Device not supported. Please", SKIPPED)):
            self.assertEqual(sanitizer.verdict(code, text)[0], status, text)


class SpeedTest(FolderTest):
    def test_figures_before_a_failure_are_kept(self):
        script = self.script("x", 'print("noise\\n{\\"a\\": 1}\\n{\\"b\\": 2}"); raise SystemExit(1)')
        result = speed._measure(self.context(), "x", [script], 30, "p: ")  # pylint: disable=protected-access
        self.assertEqual((result.status, result.figures), (FAILED, {"p: a": 1, "p: b": 2}))

    def test_a_place_with_room(self):
        self.assertEqual(speed.place_for(0, ("/not/there", str(self.folder))), str(self.folder))
        self.assertIsNone(speed.place_for(1e9, (str(self.folder),)))


class RunTest(FolderTest):
    def test_every_part_has_an_entry_and_failures_do_not_stop_others(self):
        def broken(_):
            raise OSError("no such program")
        parts = [part("a", Result(PASSED, figures={"x": 1})), run.Part("b", broken), part("c", Result(SKIPPED))]
        entries = run.run_parts(self.context(), parts)
        self.assertEqual([r.status for _, r, _ in entries], [PASSED, FAILED, SKIPPED])
        self.assertEqual(report.failed(entries), ["b"])

    def test_parts_for_which_no_time_is_left_are_named(self):
        entries = run.run_parts(self.context(seconds=1), [part("a", Result(PASSED)), part("b", None, optional=True)])
        self.assertEqual([r.status for _, r, _ in entries], [NOT_RUN, NOT_RUN])
        self.assertEqual(report.failed(entries), ["a"])

    def test_report_files(self):
        entries = [(part("a"), Result(PASSED, "fine", {"x": 0.12345678, "y": "text"}), 1.5)]
        (self.folder / "logs").mkdir()
        out = self.folder / "out"
        report.write(str(out), entries, {"device": "cpu"}, str(self.folder / "logs"))
        self.assertEqual(sorted(os.listdir(out)), [report.LOGS, report.REPORT, report.RESULTS])
        self.assertEqual((out / report.REPORT).read_text(),
                         "part  result  seconds  remarks\na     passed  1.5      fine\n\n"
                         "part  figure  value\na     x       0.1235\na     y       text\n")
        parsed = json.loads((out / report.RESULTS).read_text())
        self.assertEqual(parsed["device"], "cpu")
        self.assertEqual(parsed["parts"][0]["figures"], {"x": 0.12345678, "y": "text"})

    def test_parts_by_device(self):
        options = types.SimpleNamespace(device="cpu", parts=None)
        names = [p.short for p in run.chosen(options)]
        self.assertIn("golden-rows-over-the-host", names)
        self.assertNotIn("kernels", names)
        options.parts = "kernels"
        with self.assertRaisesRegex(run.Mistake, '"kernels"'):
            run.chosen(options)
        options.device = "cuda:0"
        self.assertEqual([p.name for p in run.chosen(options)], ["kernels"])
        self.assertEqual(len({p.short for p in run.PARTS}), len(run.PARTS))


class PackTest(unittest.TestCase):
    def test_programs_of_build_events(self):
        def configured(label, kind):
            return {"id": {"targetConfigured": {"label": label}}, "configured": {"targetKind": kind}}

        def completed(label, **more):
            return {"id": {"targetCompleted": {"label": label}}, **more}
        good = {"completed": {"success": True}}
        events = [configured("//a:p", "cc_binary rule"), configured("//a/b:t_test", "cc_test rule"),
                  configured("//a:l", "cc_library rule"), configured("//a:skipped", "cc_test rule"),
                  completed("//a:p", **good), completed("//a/b:t_test", **good), completed("//a:l", **good),
                  completed("//a:skipped", aborted={"reason": "SKIPPED"}), {"id": {"progress": {}}}]
        self.assertEqual(pack.built_programs(map(json.dumps, events)), ["a/b/t_test", "a/p"])

    def test_libraries(self):
        for name in ("libc.so.6", "ld-linux-x86-64.so.2", "libm.so.6"):
            self.assertTrue(pack.GLIBC.fullmatch(name), name)
        for name in ("libcublas.so.13", "libcublasLt.so.13", "libnccl.so.2", "libcudart.so.13"):
            self.assertTrue(pack.CUDA.fullmatch(name), name)
        for name in ("libcares.so.2", "libcrypto.so.3", "libstdc++.so.6", "libcld2.so.0"):
            self.assertFalse(pack.GLIBC.fullmatch(name) or pack.CUDA.fullmatch(name), name)
        found = pack.libraries(sys.executable)
        self.assertIn("libc.so.6", found)
        self.assertGreaterEqual(pack.needed_glibc([found["libc.so.6"]]), [2, 30])

    def test_the_size_is_bounded(self):
        with tempfile.TemporaryDirectory() as folder:
            source, out = pathlib.Path(folder, "in"), os.path.join(folder, "x.tar.xz")
            source.mkdir()
            (source / "noise").write_bytes(os.urandom(100_000))
            self.assertGreater(pack.pack(str(source), out, 1, 0), 0.1)
            with self.assertRaisesRegex(pack.Mistake, "less than 0.1"):
                pack.pack(str(source), out, 0.1, 0)
            self.assertFalse(os.path.exists(out))


if __name__ == "__main__":
    unittest.main()

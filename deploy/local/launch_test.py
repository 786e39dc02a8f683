#!/usr/bin/env python3
"""Tests of what happens at exact moments, such as a signal during a start, and of the files of a cluster's folder."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

# Not resolve(), because Bazel's files are links.
PARENT = str(pathlib.Path(__file__).absolute().parent)
sys.path.insert(0, PARENT)

from launch import cluster, layout, processes, signals, state  # noqa: E402


class LaunchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class SignalTest(LaunchTest):
    def setUp(self):
        super().setUp()
        for number in signals.NUMBERS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        signals.interrupt()

    def test_a_signal_during_a_start_comes_after_the_records_of_the_process(self):
        program = self.folder / layout.ALL_ROLES
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nexec sleep 1000\n")
        program.chmod(0o755)
        for number in signals.NUMBERS:
            signals.interrupt()
            started = cluster.Cluster(layout.Layout("/model", str(self.folder), expert_workers=0), self.folder)
            self.addCleanup(started.kill_all)
            start = processes.start

            def interrupted(*arguments, **options):
                child = start(*arguments, **options)  # pylint: disable=cell-var-from-loop
                self.addCleanup(child.wait)
                self.addCleanup(child.kill)
                signal.raise_signal(number)  # pylint: disable=cell-var-from-loop
                return child

            with mock.patch.object(processes, "start", interrupted), self.assertRaises(KeyboardInterrupt):
                started.start(60)
            self.assertEqual(list(started.handles), ["local"])
            self.assertEqual(state.read_handles(self.folder)["local"].pid, started.handles["local"].pid)

    def test_the_first_signal_interrupts_and_later_ones_do_not(self):
        with self.assertRaises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        for number in signals.NUMBERS:
            signal.raise_signal(number)

    def test_ignored_signals_remain_ignored(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signals.interrupt()
        with signals.deferred():
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)


class StateTest(LaunchTest):
    def test_a_folder_that_is_removed_before_it_is_locked(self):
        folder, flock = self.folder / "state", state.fcntl.flock

        def late(descriptor, how):
            if not late.called:
                late.called = True
                folder.rmdir()
            flock(descriptor, how)

        for create in (True, False):
            folder.mkdir(exist_ok=True)
            late.called = False
            with mock.patch.object(state.fcntl, "flock", late), state.locked(folder, create):
                self.assertEqual(folder.exists(), create)
                if create:
                    descriptor = os.open(folder, os.O_RDONLY)
                    self.addCleanup(os.close, descriptor)
                    with self.assertRaises(BlockingIOError):
                        flock(descriptor, state.fcntl.LOCK_EX | state.fcntl.LOCK_NB)

    def test_a_process_id_that_is_removed_while_all_are_read(self):
        (self.folder / "router.pid").write_text("1 2\n")
        with mock.patch.object(state, "_files", lambda folder: ["router.pid", "local.pid"]):
            self.assertEqual(list(state.read_handles(self.folder)), ["router"])

    def test_processes_are_in_the_order_of_their_dependencies(self):
        names = ["expert-worker-2", "expert-worker-10", "dense-worker-0", "router", "router-1"]
        for name in [*reversed(names), "router-foo", "expert-worker-"]:
            (self.folder / f"{name}.pid").write_text("1 2\n")
        self.assertEqual(list(state.read_handles(self.folder)), names)

    def test_only_files_of_a_cluster_are_removed(self):
        own = ["router.pid", "router-1.log", "local.address.partial", "dense_workers.list.new", "settings",
               "expert-worker-10.pid.new"]
        others = ["router-foo.log", "my_workers.list", "health.log", "router.pid.txt"]
        for name in own + others:
            (self.folder / name).touch()
        state.remove(self.folder, logs=True)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(others))


class ImportTest(unittest.TestCase):
    def test_commands_without_bound_processes_do_not_need_ctypes(self):
        script = "import sys; sys.modules['ctypes'] = None; sys.path.insert(0, sys.argv[1]); import launch.commands"
        subprocess.run([sys.executable, "-c", script, PARENT], check=True)


if __name__ == "__main__":
    unittest.main()

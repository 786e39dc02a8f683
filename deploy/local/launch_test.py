#!/usr/bin/env python3
"""Tests of what happens at exact moments, such as a signal during a start, and of the files of a cluster's folder."""

import errno
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

# Not resolve(), because Bazel's files are links.
PARENT = str(pathlib.Path(__file__).absolute().parent)
sys.path.insert(0, PARENT)

from launch import (certificates, cluster, commands, daemon, failure, flags, history, layout, logs, ports,  # noqa: E402
                    processes, scaling, signals, state, status, supervisor)


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

    def test_a_process_that_cannot_be_recorded_is_killed(self):
        program = self.folder / layout.ALL_ROLES
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nexec sleep 1000\n")
        program.chmod(0o755)
        started = cluster.Cluster(layout.Layout("/model", str(self.folder), expert_workers=0), self.folder)
        self.addCleanup(started.kill_all)
        with mock.patch.object(state, "write_pid", side_effect=OSError(errno.ENOSPC, "full")), \
                self.assertRaisesRegex(OSError, "full"):
            started.launch("local")
        self.assertFalse(started.handles["local"].running())

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
        own = ["router.pid", "local.address.partial", "dense_workers.list.new", "settings",
               "expert-worker-10.pid.new", "supervisor.pid", "history", "ports.new"]
        others = ["router-foo.log", "my_workers.list", "health.log", "router.pid.txt", "router-1.log", "ports"]
        for name in own + others:
            (self.folder / name).touch()
        state.remove(self.folder)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(others))


class LogTest(LaunchTest):
    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_older_logs_are_numbered_and_the_oldest_is_dropped(self):
        log = self.folder / "router.log"
        for start in range(6):
            log.write_text(f"start {start}\n")
            logs.rotate_all(self.folder)
        self.assertEqual(self.names(), ["router.log.1", "router.log.2", "router.log.3"])
        self.assertEqual((self.folder / "router.log.1").read_text(), "start 5\n")
        self.assertEqual((self.folder / "router.log.3").read_text(), "start 3\n")

    def test_only_logs_of_processes_are_rotated(self):
        for name in ("health.log", "router-foo.log", "router.log.txt", "supervisor.log", "dense-worker-10.log"):
            (self.folder / name).touch()
        logs.rotate_all(self.folder)
        self.assertEqual(self.names(), ["dense-worker-10.log.1", "health.log", "router-foo.log", "router.log.txt",
                                        "supervisor.log.1"])

    def test_a_large_log_keeps_its_last_whole_lines(self):
        (self.folder / "local.log").write_text("first\nsecond\nthird\n")
        for most, kept in ((19, "first\nsecond\nthird\n"), (18, "second\nthird\n"), (7, "third\n"), (3, "")):
            with mock.patch.object(logs, "MOST_BYTES", most):
                (self.folder / "local.log").write_text("first\nsecond\nthird\n")
                logs.rotate(str(self.folder / "local.log"))
                self.assertEqual((self.folder / "local.log.1").read_text(), kept)


class PortsTest(LaunchTest):
    def listen(self, name, grpc, metrics):
        (self.folder / f"{name}.address").write_text(f"grpc 127.0.0.1:{grpc}\nmetrics 127.0.0.1:{metrics}\n")
        ports.remember(self.folder, [name, "router"])

    def test_ports_that_are_free_are_used_again(self):
        with socket.create_server(("127.0.0.1", 0)) as used, socket.create_server(("127.0.0.1", 0)) as closed:
            used, free = used.getsockname()[1], closed.getsockname()[1]
            closed.close()
            self.listen("dense-worker-0", used, free)
            self.assertEqual(ports.free_ones(self.folder, "dense-worker-0"), {"grpc": 0, "metrics": free})
        self.assertEqual(ports.free_ones(self.folder, "dense-worker-0"), {"grpc": used, "metrics": free})
        self.assertEqual(ports.free_ones(self.folder, "router"), {"grpc": 0, "metrics": 0})

    def test_a_broken_file_has_no_ports(self):
        for text in ("", "[]", '{"router": 1}', '{"router": {"grpc": "x", "metrics": 1}}', '{"router": {"grpc": 1}}'):
            (self.folder / "ports").write_text(text)
            self.assertEqual(ports.recall(self.folder), {})
        (self.folder / "ports").write_text('{"router": {"grpc": 99999, "metrics": -1}}')
        self.assertEqual(ports.free_ones(self.folder, "router"), {"grpc": 0, "metrics": 0})


class FlagsTest(unittest.TestCase):
    def test_flags_of_cluster_sh_are_refused(self):
        for role, flag in (("router", "--listen=a:1"), ("dense", "--name=x"), ("expert", "--experts=1"),
                           ("dense", "-weights=int8"), ("worker", "--device=cpu"), ("router", "max_calls=1"), ("router", "")):
            with self.assertRaisesRegex(failure.Mistake, f"^--{role}-flag"):
                flags.check(role, ["--strict_model", flag])
        flags.check("expert", ["--threads=1", "--drain_timeout=1s", "--strict_model", "--noprefix_caching"])


class Ended:
    """A process that has ended, until it is started again."""

    def __init__(self, code=1):
        self.exit_code, self.alive, self.pid, self.started = code, False, 1, "2"

    def running(self):
        return self.alive


class SupervisorTest(LaunchTest):
    """One process, whose starts are recorded, at times that the test chooses."""

    def setUp(self):
        super().setUp()
        self.now, self.starts, self.lines, self.lasting = 0, [], [], False
        self.cluster = mock.Mock(folder=str(self.folder), handles={"router": Ended()})
        self.cluster.handles["router"].alive = True
        self.cluster.address.return_value = "127.0.0.1:1"
        self.cluster.launch.side_effect = self.launch
        self.current = self.cluster.handles["router"]
        patch = mock.patch.object(state, "read_handles", lambda *_, **__: {"router": self.current})
        patch.start()
        self.addCleanup(patch.stop)
        self.supervisor = supervisor.Supervisor(self.cluster, self.lines.append, lambda: self.now)

    def launch(self, name):
        self.starts.append(self.now)
        self.current = self.cluster.handles[name] = Ended()
        self.current.alive = self.lasting

    def until(self, end, step=0.25):
        while self.now < end:
            self.supervisor.step()
            self.now += step

    def record(self):
        return history.read(self.folder)["router"]

    def test_pauses_grow_to_a_minute(self):
        self.current.alive = False
        self.until(400)
        pauses = [round(later - earlier) for earlier, later in zip(self.starts, self.starts[1:])]
        self.assertEqual(self.starts[0], 1)
        self.assertEqual(pauses[:7], [2, 4, 8, 16, 32, 60, 60])
        self.assertEqual(self.record().restarts, len(self.starts))
        self.assertEqual(self.record().exit_code, 1)

    def test_a_process_that_has_run_long_has_a_short_pause_again(self):
        self.current.alive = False
        self.until(30)
        self.lasting = True
        self.until(400)
        count, self.current.alive = len(self.starts), False
        self.until(403)
        self.assertEqual(self.starts[count], 401)

    def test_a_process_that_runs_is_left_alone(self):
        self.until(10)
        self.assertEqual((self.starts, self.lines, history.read(self.folder)), ([], [], {}))

    def test_a_process_that_a_command_has_restarted_is_adopted(self):
        self.current.alive, self.current.exit_code = False, 0
        self.current = Ended()
        self.current.alive = True
        self.until(10)
        self.assertEqual(self.starts, [])
        self.assertIs(self.cluster.handles["router"], self.current)
        self.assertEqual((self.record().exit_code, self.record().pause), (0, None))

    def test_a_new_address_is_published_once(self):
        self.current.alive = False
        self.cluster.address.return_value, self.lasting = None, True
        self.until(5)
        self.cluster.publish.assert_not_called()
        self.cluster.address.return_value = "127.0.0.1:2"
        self.until(10)
        self.cluster.publish.assert_called_once_with()

    def test_a_program_that_cannot_run_is_tried_again(self):
        self.cluster.launch.side_effect = failure.Failure("cannot run router: No such file")
        self.current.alive = False
        self.until(2)
        self.assertIn("router: cannot run router: No such file", self.lines)
        self.cluster.launch.side_effect = self.launch
        self.until(4)
        self.assertEqual(len(self.starts), 1)

    def test_a_full_disk_does_not_end_it(self):
        self.current.alive, self.lasting = False, True
        full = OSError(errno.ENOSPC, "No space left on device")
        self.cluster.publish.side_effect = full
        with mock.patch.object(state, "write", side_effect=full):
            self.until(10)
        self.assertEqual((self.starts, self.lines), ([1], [f"router: {full}"]))
        self.cluster.publish.reset_mock(side_effect=True)
        self.until(20)
        self.cluster.publish.assert_called_once_with()
        self.assertEqual((self.starts, self.lines[1:]), ([1], ["router listens on 127.0.0.1:1"]))

    def test_nothing_happens_while_a_command_changes_the_cluster(self):
        self.current.alive = False
        with state.locked(str(self.folder), create=False):
            self.until(10)
        self.assertEqual((self.starts, self.lines), ([], []))
        self.until(12)
        self.assertEqual(len(self.starts), 1)

    def test_it_ends_when_the_cluster_is_stopped(self):
        self.current.alive = False
        with mock.patch.object(state, "read_handles", lambda *_, **__: {}), self.assertRaises(supervisor.Stopped):
            self.supervisor.step()

    def test_only_one_process_supervises(self):
        self.assertTrue(supervisor.claim(str(self.folder)))
        self.assertFalse(supervisor.claim(str(self.folder)))
        supervisor.release(str(self.folder))
        self.assertTrue(supervisor.claim(str(self.folder)))


class ChangeTest(LaunchTest):
    """Changes of a supervised cluster whose supervisor does not start again."""

    def setUp(self):
        super().setUp()
        self.options = mock.Mock(state=str(self.folder))
        self.reported = []
        for target, name, value in ((commands, "stop_supervisor", lambda _: True), (daemon, "run", lambda *_: 3),
                                    (commands, "present", lambda _: mock.Mock(handles={})),
                                    (commands, "report", self.reported.append), (scaling, "_record", lambda *_: None)):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def change(self):
        return scaling._changed(self.options)  # pylint: disable=protected-access

    def test_the_command_fails(self):
        with self.assertRaisesRegex(failure.Failure, 'exit code 3; .*run "supervise"'), self.change():
            pass

    def test_a_change_that_fails_says_both(self):
        with self.assertRaisesRegex(failure.Failure, "no room"), self.change():
            raise failure.Failure("no room")
        self.assertRegex(self.reported[-1], "no supervisor")


class StatusTest(unittest.TestCase):
    def test_durations_and_exits(self):
        shown = [status.duration(seconds) for seconds in (None, 0.9, 59, 60, 3599, 3600, 86399, 86400 * 12 + 3600 * 3)]
        self.assertEqual(shown, ["-", "0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "12d03h"])
        exits = [history.Record(ended=True, exit_code=code).last_exit() for code in (None, 0, 1, 137, 255)]
        self.assertEqual([history.Record().last_exit(), *exits], ["-", "?", "0", "1", "SIGKILL", "255"])


class CertificatesTest(LaunchTest):
    def test_each_process_gets_a_certificate_of_its_role_once(self):
        for name, role in (("router", "router"), ("local", "router"), ("expert-worker-3", "expert-worker"),
                           (certificates.CLIENT, "client")):
            certificates.ensure(self.folder, name)
            path = certificates.flags(self.folder, name)[0].partition("=")[2]
            before = pathlib.Path(path).read_bytes()
            shown = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-ext", "subjectAltName"],
                                   stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertIn(f"URI:spiffe://apollo/{role}/{name},", shown)
            certificates.ensure(self.folder, name)
            self.assertEqual(pathlib.Path(path).read_bytes(), before)

    def test_a_script_that_fails_is_a_failure_with_its_reason(self):
        with self.assertRaisesRegex(failure.Failure, 'no certificate of a b: .*"client/a b"'), \
                mock.patch.object(layout, "role_of", return_value="client"):
            certificates.ensure(self.folder, "a b")


class ImportTest(unittest.TestCase):
    def test_commands_without_bound_processes_do_not_need_ctypes(self):
        script = "import sys; sys.modules['ctypes'] = None; sys.path.insert(0, sys.argv[1]); import launch.commands"
        subprocess.run([sys.executable, "-c", script, PARENT], check=True)


if __name__ == "__main__":
    unittest.main()

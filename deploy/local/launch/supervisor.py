"""Restarts the processes of a cluster that have ended."""

import contextlib
import os
import signal
import time

from . import history, logs, processes, state
from . import layout as layouts
from .failure import Failure

FIRST_PAUSE = 1
LONGEST_PAUSE = 60
STEADY_SECONDS = 300  # A process that has run for so long begins again with the first pause.
POLL_SECONDS = 0.5


class Stopped(Exception):
    """The cluster has been stopped, so there is nothing to supervise."""


class _Watched:
    """One process: whether it has ended, and when to start it again."""

    def __init__(self, now):
        self.since = now  # It was started, or found running.
        self.pause = 0  # Before the last restart.
        self.due = None  # None: it has not ended.
        self.address = None  # None: it has not been published since the start.

    def end(self, now):
        """Plans the restart, and returns the seconds until then."""
        if now - self.since >= STEADY_SECONDS:
            self.pause = 0
        self.pause = min(LONGEST_PAUSE, 2 * self.pause) or FIRST_PAUSE
        self.due = now + self.pause
        return self.pause

    def begin(self, now):
        self.since, self.due, self.address = now, None, None


class Supervisor:
    """Supervises a running cluster with `keep_ports`. Other processes may change the cluster meanwhile.

    report: called with a line about each event. clock: returns the time in seconds.
    """

    def __init__(self, cluster, report=print, clock=time.monotonic):
        self._cluster, self._report, self._clock = cluster, report, clock
        self._trouble = None  # The last that was reported, since a process was published.
        self._watched = {name: _Watched(clock()) for name in cluster.handles}
        for name, watched in self._watched.items():
            watched.address = cluster.address(name)

    def run(self):
        """Supervises until the cluster is stopped, or this process is interrupted."""
        try:
            while True:
                self.step()
                time.sleep(POLL_SECONDS)
        except Stopped:
            self._report("the cluster has been stopped")
        except KeyboardInterrupt:
            self._report("the supervision has been stopped")
        finally:
            release(self._cluster.folder)

    def step(self):
        """Notices ends, and restarts what is due. Raises Stopped."""
        for name, watched in self._watched.items():
            # What fails is tried again in the next step.
            try:
                if not self._cluster.handles[name].running():
                    self._ended(name, watched)
                elif watched.address is None:
                    self._publish(name, watched)
            except state.Busy:
                pass
            except OSError as error:  # For example a full disk, where nothing can be reported either.
                with contextlib.suppress(OSError):
                    self._report_once(f"{name}: {error}")

    def _report_once(self, trouble):
        if trouble != self._trouble:
            self._report(trouble)
            self._trouble = trouble

    def _ended(self, name, watched):
        if watched.due is not None and self._clock() < watched.due:
            return
        handle = self._cluster.handles[name]
        with self._locked(name) as current:
            if current.running():  # A command has restarted it.
                self._cluster.handles[name] = current
                if watched.due is None:
                    history.ended(self._cluster.folder, name, handle.exit_code)
                watched.begin(self._clock())
            elif watched.due is None:
                self._plan(name, watched, handle.exit_code)
            else:
                self._restart(name, watched)

    def _plan(self, name, watched, exit_code):
        pause = watched.end(self._clock())
        history.ended(self._cluster.folder, name, exit_code, pause)
        last = history.read(self._cluster.folder)[name].last_exit()
        self._report(f"{name} has ended (exit: {last}); restart in {pause} s")

    def _restart(self, name, watched):
        log = layouts.log_file(self._cluster.folder, name)
        if os.path.exists(log) and os.path.getsize(log) > logs.MOST_BYTES:
            logs.rotate(log)
        try:
            self._cluster.launch(name)
        except (Failure, OSError) as error:  # For example while its program is being replaced.
            self._report(f"{name}: {error}")
            self._plan(name, watched, None)
            return
        watched.begin(self._clock())
        history.restarted(self._cluster.folder, name)

    def _publish(self, name, watched):
        """Tells the others the address, which may be a new one, once the process listens."""
        if self._cluster.address(name) is None:
            return
        with self._locked(name):
            address = self._cluster.address(name)
            if address is not None:
                self._cluster.publish()
                watched.address, self._trouble = address, None
                self._report(f"{name} listens on {address}")

    @contextlib.contextmanager
    def _locked(self, name):
        """Locks the cluster, and returns the current process of this name. Raises Stopped if there is none."""
        with state.locked(self._cluster.folder, create=False, seconds=0):
            current = state.read_handles(self._cluster.folder, broken=lambda path: None).get(name)
            if current is None:
                raise Stopped
            yield current


def claim(folder):
    """Makes this process the supervisor of a locked cluster. Returns false if there is one already."""
    present = state.read_supervisor(folder)
    if present is not None and present.running():
        return False
    state.write_pid(folder, state.SUPERVISOR, processes.Handle.of_this())
    return True


def release(folder):
    """Ends what claim() began."""
    present = state.read_supervisor(folder)
    if present is not None and present.pid == os.getpid():
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, state.SUPERVISOR + ".pid"))


def running(folder):
    """Returns whether the cluster has a supervisor."""
    present = state.read_supervisor(folder)
    return present is not None and present.running()


def stop(folder, seconds=10):
    """Ends the supervisor of a cluster, if there is one. Call it before locking the cluster."""
    present = state.read_supervisor(folder)
    if present is None:
        return
    present.signal(signal.SIGTERM)
    if not present.wait(seconds):
        present.signal(signal.SIGKILL)
        present.wait(seconds)


def with_time(report):
    """Returns a report whose lines begin with the time."""
    return lambda line: report(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}")

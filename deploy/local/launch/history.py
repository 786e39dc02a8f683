"""What has become of the processes of a cluster since it was started: restarts, and the last exit of each."""

import dataclasses
import json
import os
import signal

from . import state


@dataclasses.dataclass
class Record:
    restarts: int = 0
    ended: bool = False  # Once at least.
    exit_code: int = None  # Of the last end; 128 + the signal if one ended it; None: not known.
    pause: float = None  # Seconds from that end to the restart by the supervisor; None: it has been restarted.

    def last_exit(self):
        """Returns the last exit for a table: "-", "?", "1" or "SIGKILL"."""
        if not self.ended:
            return "-"
        if self.exit_code is None:
            return "?"
        if self.exit_code > 128:
            try:
                return signal.Signals(self.exit_code - 128).name
            except ValueError:
                pass
        return str(self.exit_code)


def read(folder):
    """Returns the records by name; processes without events have none."""
    try:
        with open(_path(folder), encoding="utf-8") as file:
            return {name: Record(**fields) for name, fields in json.load(file).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def ended(folder, name, exit_code, pause=None):
    def change(record):
        record.ended, record.exit_code, record.pause = True, exit_code, pause
    _change(folder, name, change)


def restarted(folder, name):
    def change(record):
        record.restarts, record.pause = record.restarts + 1, None
    _change(folder, name, change)


def _change(folder, name, change):
    records = read(folder)
    change(records.setdefault(name, Record()))
    state.write(_path(folder), json.dumps({name: vars(record) for name, record in records.items()}, indent=1))


def _path(folder):
    return os.path.join(folder, "history")

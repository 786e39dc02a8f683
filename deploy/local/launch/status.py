"""The command status."""

import os
import subprocess

from . import certificates, history, state
from . import layout as layouts

_COLUMNS = f"{'ROLE':<18} {'PID':<8} {'ADDRESS':<22} {'METRICS':<22} {'UPTIME':<9} {'RESTARTS':<9} {'EXIT':<8} HEALTH"


def run(options):
    """Prints a table of the processes. Returns 1 unless all are healthy, and supervised if they were."""
    handles = state.read_handles(options.state)
    if not handles:
        print(f"not running (no process in {options.state})")
        return 1
    settings = state.read_settings(options.state) or {}
    binaries = options.bin
    if not options.bin_given:  # Those that `up` was given.
        binaries = settings.get("bin") or binaries
    proof = certificates.flags(options.state, certificates.CLIENT) if settings.get("tls") else []
    records, result = history.read(options.state), 0
    print(_COLUMNS)
    for name, handle in handles.items():
        address = state.read_address(options.state, name, "grpc") or ""
        metrics = state.read_address(options.state, name, "metrics") or ""
        record = records.get(name, history.Record())
        health = _health(binaries, address, proof) if handle.running() else _dead(record)
        if health != "SERVING":
            result = 1
        print(f"{name:<18} {handle.pid:<8} {address:<22} {metrics:<22} {duration(handle.age()):<9} "
              f"{record.restarts:<9} {record.last_exit():<8} {health}")
    supervisor = state.read_supervisor(options.state)
    if supervisor is not None and not supervisor.running():
        result = 1
        print('supervisor: dead: run "supervise", or "up --supervise"')
    elif supervisor is not None:
        print(f"supervisor: process {supervisor.pid}, log {layouts.log_file(options.state, state.SUPERVISOR)}")
    print(f"state: {options.state}")
    return result


def duration(seconds):
    """Returns a duration such as 12s, 3m20s, 5h02m or 12d03h; "-" for None."""
    if seconds is None:
        return "-"
    seconds = int(seconds)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d{hours % 24:02}h"
    if hours:
        return f"{hours}h{minutes % 60:02}m"
    return f"{minutes}m{seconds % 60:02}s" if minutes else f"{seconds}s"


def _dead(record):
    return "dead" if record.pause is None else f"dead, restarts {duration(record.pause)} after its end"


def _health(binaries, address, proof):
    try:
        answer = subprocess.run([os.path.join(binaries, layouts.CLIENT), "--server", address, *proof, "--timeout", "3",
                                 "health"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return "no answer"
    return answer.stdout.strip() or "no answer"

"""The commands up, status and down, for a cluster that outlives the command."""

import os
import subprocess

from . import layout as layouts
from . import signals, state
from .cluster import Cluster
from .failure import Failure, Mistake

DEFAULTS = {"dense_workers": 1, "port": 50051, "weights": "auto", "device": "cpu", "timeout": 300, "grace": 15}
# Options that a running cluster keeps.
KEPT = ("model", "dense_workers", "expert_workers", "port", "threads", "weights", "device", "bin")


def up(options):
    """Starts a cluster. Options that are not given are None."""
    with state.locked(options.state, create=True):
        handles = state.read_handles(options.state)
        running = sum(handle.running() for handle in handles.values())
        if running == 0:
            return _start(options, handles)
        if running < len(handles):
            raise Failure(f"only {running} of {len(handles)} processes of {options.state} are alive: "
                          'run "down" first')
        _refuse_other_settings(options, handles)
        print(f"already up (state: {options.state})")
        print(f"router {state.read_address(options.state, 'router', 'grpc')}")
        return 0


def _start(options, ended):
    """Starts a cluster; `ended` are the processes of an earlier one in the same folder."""
    layout = _checked_layout(options)
    settings = state.read_settings(options.state)
    if settings is None and not ended:
        raise Failure(f"{options.state}/settings: it is not a file of cluster.sh: use another --state")
    if settings or ended:
        state.remove(options.state, logs=False)
    print(f"state: {options.state}")
    for name in layout.names():  # Logs have lines of this start only.
        with open(layouts.log_file(options.state, name), "w", encoding="utf-8"):
            pass
    cluster = Cluster(layout, options.state, bound=False, report=lambda line: print(line, flush=True))
    try:
        cluster.start(_value(options, "timeout"))
        state.write_settings(options.state, cluster.handles, {
            **{name: _value(options, name) for name in KEPT}, "model": layout.model,
            "expert_workers": layout.expert_workers})
    except BaseException:
        signals.ignore()  # They must not prevent the cleanup.
        _report_killed(cluster.stop_all(_value(options, "grace")), options)
        state.remove(options.state, logs=False)
        raise
    print(f"all {len(cluster.handles)} processes are healthy")
    print(f"router {cluster.address('router')}")
    return 0


def _checked_layout(options):
    if options.model is None:
        raise Mistake("up needs --model")
    if not os.path.isfile(os.path.join(options.model, "config.json")):
        raise Failure(f"{options.model}: no config.json, so it is not a model")
    for program in (layouts.ROUTER, layouts.DENSE_WORKER, layouts.EXPERT_WORKER, layouts.CLIENT):
        if not os.access(os.path.join(options.bin, program), os.X_OK):
            raise Failure(f"no {options.bin}/{program}: first run\n  bazel build {layouts.TARGETS}")
    model = os.path.realpath(options.model)
    experts = layouts.num_experts(model)
    expert_workers = options.expert_workers
    if expert_workers is None:  # Those of a dense model would all hold the same layer.
        expert_workers = min(2, experts) or 1
    if expert_workers > experts > 0:
        raise Mistake(f"--expert-workers is {expert_workers}, but the model has {experts} experts")
    flags = [f"--weights={_value(options, 'weights')}", f"--device={_value(options, 'device')}"]
    if options.threads is not None:
        flags.append(f"--threads={options.threads}")
    return layouts.Layout(model, options.bin, _value(options, "dense_workers"), expert_workers,
                          port=_value(options, "port"), worker_flags=flags)


def _value(options, name):
    given = getattr(options, name)
    return DEFAULTS.get(name) if given is None else given


def _refuse_other_settings(options, handles):
    """Raises Failure if the running processes are not a whole cluster, or a given option differs from the cluster's."""
    settings = state.read_settings(options.state)
    if settings is None:
        raise Failure(f'{options.state}: another version of cluster.sh has started this cluster: run "down" first')
    if set(settings.get("processes", ())) != set(handles):
        raise Failure(f'{options.state}: a start was interrupted: run "down" first')
    differ = []
    for name in KEPT:
        wanted, now = getattr(options, name), settings.get(name)
        if wanted is None or (name == "port" and wanted == 0):  # Any port is fine.
            continue
        if name == "bin" and not options.bin_given:
            continue
        if name == "port":
            now = int((state.read_address(options.state, "router", "grpc") or ":0").rpartition(":")[2])
        elif name == "model":
            wanted = os.path.realpath(wanted)
        if wanted != now:
            differ.append(f"--{name.replace('_', '-')} {'(not given)' if now is None else now} instead of {wanted}")
    if differ:
        raise Failure(f"already up (state: {options.state}), but with {', '.join(differ)}: run \"down\" first, "
                      "or use another --state")


def _report_killed(names, options):
    for name in names:
        print(f"{name} did not end within {_value(options, 'grace')} s: killed", flush=True)


def status(options):
    handles = state.read_handles(options.state)
    if not handles:
        print(f"not running (no state in {options.state})")
        return 1
    binaries = options.bin
    if not options.bin_given:  # Those that `up` was given.
        binaries = (state.read_settings(options.state) or {}).get("bin") or binaries
    result = 0
    print(f"{'ROLE':<18} {'PID':<8} {'ADDRESS':<22} {'METRICS':<22} HEALTH")
    for name, handle in handles.items():
        address = state.read_address(options.state, name, "grpc") or ""
        metrics = state.read_address(options.state, name, "metrics") or ""
        health = _health(binaries, address) if handle.running() else "dead"
        if health != "SERVING":
            result = 1
        print(f"{name:<18} {handle.pid:<8} {address:<22} {metrics:<22} {health}")
    print(f"state: {options.state}")
    return result


def _health(binaries, address):
    try:
        answer = subprocess.run([os.path.join(binaries, layouts.CLIENT), "--server", address, "--timeout", "3", "health"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return "no answer"
    return answer.stdout.strip() or "no answer"


def down(options):
    with state.locked(options.state, create=False):
        cluster = Cluster(None, options.state, bound=False)
        cluster.handles = state.read_handles(
            options.state, broken=lambda path: print(f"{path}: no process id and start time: ignored"))
        if cluster.handles:
            _report_killed(cluster.stop_all(_value(options, "grace")), options)
            print("stopped")
        else:
            print(f"not running (no state in {options.state})")
        if cluster.handles or state.read_settings(options.state):
            state.remove(options.state, logs=True)
    return 0

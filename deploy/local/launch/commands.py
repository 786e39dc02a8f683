"""The commands up, restart, supervise and down, for a cluster that outlives the command."""

import os
import sys

from . import certificates, daemon, flags, history, logs, signals, state, supervisor
from . import layout as layouts
from .cluster import Cluster
from .failure import Failure, Mistake

DEFAULTS = {"dense_workers": 1, "port": 50051, "weights": "auto", "device": "cpu", "timeout": 300, "grace": 45,
            **{f"{role}_flag": [] for role in flags.ROLES}}
# Options that a running cluster keeps.
KEPT = ("model", "dense_workers", "expert_workers", "port", "threads", "cache_megabytes", "weights", "device", "tls",
        *(f"{role}_flag" for role in flags.ROLES), "bin")


def up(options):
    """Starts a cluster. Options that are not given are None."""
    if not options.supervise:
        _up(options)
        return 0
    return daemon.run(lambda: supervision(_up(options), options), layouts.log_file(options.state, state.SUPERVISOR))


def _up(options):
    """Starts a cluster, or finds it running. Returns it."""
    with state.locked(options.state, create=True):
        handles = state.read_handles(options.state)
        dead = [name for name, handle in handles.items() if not handle.running()]
        if len(dead) == len(handles):
            return _start(options, handles)
        if dead:
            raise Failure(f"only {len(handles) - len(dead)} of {len(handles)} processes of {options.state} are alive: "
                          f'run "restart {" ".join(dead)}", or "down" first')
        _refuse_other_settings(options, handles)
        print(f"already up (state: {options.state})")
        print(f"router {state.read_address(options.state, 'router', 'grpc')}")
        return _found(options, handles)


def _start(options, ended):
    """Starts a cluster; `ended` are the processes of an earlier one in the same folder."""
    given = {name: value(options, name) for name in KEPT}
    layout = _checked_layout(options, given)
    settings = state.read_settings(options.state)
    if settings is None and not ended:
        raise Failure(f"{options.state}/settings: it is not a file of cluster.sh: use another --state")
    if settings or ended:
        supervisor.stop(options.state)
        state.remove(options.state)
    print(f"state: {options.state}")
    logs.rotate_all(options.state)
    cluster = Cluster(layout, options.state, bound=False, report=report, keep_ports=True)
    try:
        cluster.start(value(options, "timeout"))
        state.write_settings(options.state, cluster.handles, {
            **given, "model": layout.model, "expert_workers": layout.expert_workers})
    except BaseException:
        signals.ignore()  # They must not prevent the cleanup.
        report_killed(cluster.stop_all(value(options, "grace")), value(options, "grace"))
        state.remove(options.state)
        raise
    print(f"all {len(cluster.handles)} processes are healthy")
    print(f"router {cluster.address('router')}")
    if layout.tls:
        print("apollo needs " + " ".join(certificates.flags(options.state, certificates.CLIENT)))
    return cluster


def report(line):
    print(line, flush=True)


def _checked_layout(options, given):
    """Returns the layout of a new cluster. Raises Mistake or Failure for what cannot be started."""
    if options.model is None:
        raise Mistake("up needs --model")
    for role in flags.ROLES:
        flags.check(role, given[f"{role}_flag"])
    if not os.path.isfile(os.path.join(options.model, "config.json")):
        raise Failure(f"{options.model}: no config.json, so it is not a model")
    for program in (layouts.ROUTER, layouts.DENSE_WORKER, layouts.EXPERT_WORKER, layouts.CLIENT):
        if not os.access(os.path.join(options.bin, program), os.X_OK):
            raise Failure(f"no {options.bin}/{program}: first run\n  bazel build -c opt {layouts.TARGETS}")
    model = os.path.realpath(options.model)
    experts = layouts.num_experts(model)
    expert_workers = options.expert_workers
    if expert_workers is None:  # Those of a dense model would all hold the same layer.
        expert_workers = min(2, experts) or 1
    if expert_workers > experts > 0:
        raise Mistake(f"--expert-workers is {expert_workers}, but the model has {experts} experts")
    return _layout({**given, "model": model, "expert_workers": expert_workers})


def _layout(kept):
    """Returns the layout of a cluster with these settings (KEPT)."""
    worker = [f"--{name}={kept[name]}" for name in ("weights", "device", "threads", "cache_megabytes")
              if kept.get(name) is not None]
    more = {role: kept.get(f"{role}_flag") or [] for role in flags.ROLES}
    return layouts.Layout(kept["model"], kept["bin"], kept["dense_workers"], kept["expert_workers"], port=kept["port"],
                          added=kept.get("added"), removed=kept.get("removed", ()), tls=bool(kept.get("tls")),
                          worker_flags=worker + more["worker"], dense_flags=more["dense"],
                          expert_flags=more["expert"], router_flags=more["router"])


def value(options, name):
    given = getattr(options, name)
    return DEFAULTS.get(name) if given is None else given


def _found(options, handles):
    """Returns a cluster that another process has started. Raises Failure if it is not a whole one of this version."""
    settings = _whole_settings(options, handles)
    cluster = Cluster(_layout(settings), options.state, bound=False, report=report, keep_ports=True)
    cluster.handles = handles
    return cluster


def _whole_settings(options, handles):
    settings = state.read_settings(options.state)
    if settings is None:
        raise Failure(f'{options.state}: another version of cluster.sh has started this cluster: run "down" first')
    if set(settings.get("processes", ())) != set(handles):
        raise Failure(f'{options.state}: a start was interrupted: run "down" first')
    return settings


def _refuse_other_settings(options, handles):
    """Raises Failure if the running processes are not a whole cluster, or a given option differs from the cluster's."""
    settings = _whole_settings(options, handles)
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
            differ.append(f"--{name.replace('_', '-')} {_shown(now)} instead of {_shown(wanted)}")
    if differ:
        raise Failure(f"already up (state: {options.state}), but with {', '.join(differ)}: run \"down\" first, "
                      "or use another --state")


def _shown(value):
    if isinstance(value, list):
        value = " ".join(value) or None
    return "(not given)" if value is None else value


def report_killed(names, seconds):
    for name in names:
        print(f"{name} did not end within {seconds} s: killed", flush=True)


def restart(options):
    """Stops and starts single processes, one after the other, while the others run."""
    with state.locked(options.state, create=False):
        cluster = present(options)
        unknown = [name for name in options.names if name not in cluster.handles]
        if unknown:
            raise Mistake(f'"{unknown[0]}" is no process of this cluster; it has {", ".join(cluster.handles)}')
        for name in [name for name in cluster.handles if name in options.names]:
            restart_one(cluster, name, options)
        dead = [name for name, handle in cluster.handles.items() if not handle.running()]
        if dead:
            raise Failure(f'still dead: {" ".join(dead)}; run "restart {" ".join(dead)}"')
        cluster.await_health(cluster.handles, value(options, "timeout"))
    print(f"all {len(cluster.handles)} processes are healthy")
    return 0


def restart_one(cluster, name, options):
    grace = value(options, "grace")
    if cluster.handles[name].running():
        report(f"stopping {name}")
        report_killed(cluster.stop([name], grace), grace)
    elif not history.read(options.state).get(name, history.Record()).ended:
        history.ended(options.state, name, None)
    history.restarted(options.state, name)
    cluster.start_one(name, value(options, "timeout"))
    report(f"{name} {cluster.address(name)}")


def present(options):
    """Returns the cluster of the state, some of whose processes may have ended. Raises Failure if there is none."""
    handles = state.read_handles(options.state)
    if not handles:
        raise Failure(f"not running (no process in {options.state})")
    return _found(options, handles)


def supervise(options):
    """Supervises a running cluster in the foreground."""
    with state.locked(options.state, create=False):
        cluster = present(options)
    run = supervision(cluster, options)
    if run is None:
        raise Failure(f"process {state.read_supervisor(options.state).pid} supervises this cluster already")
    report(f"supervising {len(cluster.handles)} processes; Ctrl-C ends this, not the cluster")
    run()
    return 0


def supervision(cluster, options):
    """Makes this process the supervisor. Returns the function that supervises, or None if there is a supervisor."""
    with state.locked(options.state, create=False):
        if not supervisor.claim(options.state):
            return None
    cluster.report = supervisor.with_time(report)
    return supervisor.Supervisor(cluster, cluster.report).run


def stop_supervisor(options):
    """Ends the supervisor, if there is one. Returns whether it was running."""
    running = supervisor.running(options.state)
    supervisor.stop(options.state)
    return running


def start_supervisor(options):
    """Starts a supervisor in the background. Raises Failure if it ends before it supervises."""
    def begin():
        with state.locked(options.state, create=False):
            cluster = present(options)
        run = supervision(cluster, options)
        return lambda: sys.exit(run and run())  # The new process must not go on with the command.
    code = daemon.run(begin, layouts.log_file(options.state, state.SUPERVISOR))
    if code != 0:
        raise Failure(f'no supervisor: it ended at once with exit code {code}; when the reason is gone, run "supervise"')


def down(options):
    supervisor.stop(options.state)  # It must not restart what is stopped here.
    with state.locked(options.state, create=False):
        cluster = Cluster(None, options.state, bound=False)
        cluster.handles = state.read_handles(
            options.state, broken=lambda path: print(f"{path}: no process id and start time: ignored"))
        if cluster.handles:
            grace = value(options, "grace")
            report_killed(cluster.stop_all(grace), grace)
            print(f"stopped; logs: {options.state}/*.log")
        else:
            print(f"not running (no process in {options.state})")
        if cluster.handles or state.read_settings(options.state):
            state.remove(options.state)
    return 0

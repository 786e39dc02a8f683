"""The commands add, remove and rolling-restart, which change a cluster while it serves."""

import contextlib
import os
import time

from . import commands, state
from . import layout as layouts
from .failure import Failure, Mistake

SETTLE_SECONDS = 2  # All processes have noticed a worker that is new, or has gone, after this time.


@contextlib.contextmanager
def _changed(options):
    """Locks a cluster, all of whose processes must run, for a change of its workers. Then records the change."""
    supervised = commands.stop_supervisor(options)  # It must not start again what is removed.
    try:
        with state.locked(options.state, create=False):
            cluster = commands.present(options)
            dead = [name for name, handle in cluster.handles.items() if not handle.running()]
            if dead:
                raise Failure(f'dead: {" ".join(dead)}; first run "restart {" ".join(dead)}"')
            try:
                yield cluster
            finally:
                _record(cluster, options)
    except BaseException:
        if supervised:
            _supervise_again(options)
        raise
    if supervised:
        commands.start_supervisor(options)


def _supervise_again(options):
    """Starts the supervisor after a change that has failed, whose reason is to be the last line."""
    try:
        commands.start_supervisor(options)
    except Failure as error:
        commands.report(str(error))


def _record(cluster, options):
    settings = state.read_settings(options.state)
    state.write_settings(options.state, cluster.handles, {
        **{name: value for name, value in settings.items() if name != "processes"},
        "added": cluster.layout.added, "removed": sorted(cluster.layout.removed)})


def _start(cluster, role, experts, options):
    """Adds a worker and waits until it serves. Returns its name. Leaves nothing behind if that fails."""
    name = cluster.layout.add(role, experts)
    try:
        cluster.start_one(name, commands.value(options, "timeout"))
        cluster.await_health([name], commands.value(options, "timeout"))
    except BaseException:
        _end(cluster, name, 5)
        raise
    return name


def _end(cluster, name, grace):
    """Stops a worker, which hands its work over to the others, and forgets it."""
    # It stays in the lists meanwhile: others see by themselves that it takes nothing new.
    commands.report_killed(cluster.stop([name], grace), grace)
    cluster.layout.remove(name)
    cluster.publish()
    cluster.handles.pop(name, None)
    for path in (state.pid_file(cluster.folder, name), layouts.address_file(cluster.folder, name)):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def add(options):
    """Starts a further worker, which the others find by themselves."""
    with _changed(options) as cluster:
        name = _start(cluster, options.role, _experts(cluster, options), options)
        print(f"{name} {cluster.address(name)}")
    return 0


def _experts(cluster, options):
    """Returns the experts of a new worker: the given ones, or all."""
    count = layouts.num_experts(cluster.layout.model)
    if options.role != "expert-worker" or count == 0:
        if options.experts is not None:
            raise Mistake("--experts is for expert workers of a model with experts")
        return []
    if options.experts is None:
        return list(range(count))
    wrong = [expert for expert in options.experts if expert >= count]
    if wrong:
        raise Mistake(f"--experts names {wrong[0]}, but the model has {count} experts, from 0")
    return options.experts


def remove(options):
    """Stops a worker, whose work the others take over."""
    with _changed(options) as cluster:
        name, layout = options.name, cluster.layout
        if name not in cluster.handles:
            raise Mistake(f'"{name}" is no process of this cluster; it has {", ".join(cluster.handles)}')
        role = layouts.role_of(name)
        if role not in ("dense-worker", "expert-worker"):
            raise Mistake(f"{name} cannot be removed: only workers can")
        if len([other for other in cluster.handles if layouts.role_of(other) == role]) == 1:
            raise Mistake(f'{name} is the last {role}: add another one first, or run "down"')
        only = role == "expert-worker" and layout.only_holder_of(name)
        if only:
            numbers = ",".join(map(str, only))
            raise Mistake(f"only {name} has the experts {numbers}: first run \"add expert-worker --experts={numbers}\"")
        commands.report(f"stopping {name}")
        _end(cluster, name, commands.value(options, "grace"))
    print(f"removed {name}")
    return 0


def rolling_restart(options):
    """Restarts all processes, one after the other, so that the cluster serves all the time."""
    with _changed(options) as cluster:
        for name in list(cluster.handles):
            _replace(cluster, name, options)
        cluster.await_health(cluster.handles, commands.value(options, "timeout"))
    print(f"all {len(cluster.handles)} processes are healthy")
    return 0


def _replace(cluster, name, options):
    """Restarts a process. If no other can do its work, a substitute does it meanwhile."""
    role, substitute = layouts.role_of(name), None
    if role != "router" and not cluster.layout.others_with(name):
        experts = cluster.layout.experts_of(name) if role == "expert-worker" else []
        commands.report(f"starting a substitute for {name}")
        substitute = _start(cluster, role, experts, options)
        time.sleep(SETTLE_SECONDS)
    try:
        commands.restart_one(cluster, name, options)
        cluster.await_health([name], commands.value(options, "timeout"))
        time.sleep(SETTLE_SECONDS)
    except BaseException:
        if substitute is not None:
            commands.report(f"{substitute} stays, because nothing else does the work of {name}")
        raise
    if substitute is not None:
        commands.report(f"stopping {substitute}")
        _end(cluster, substitute, commands.value(options, "grace"))

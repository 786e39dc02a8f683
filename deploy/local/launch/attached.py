"""A cluster controlled by another program with lines of JSON. It ends with that program.

When all processes serve, prints {"processes": [...]}, each with "name", "pid", "address" and "metrics", in the order
of their dependencies. Then each line of standard input is a request, answered by one line:

  {"do": "kill", "name": N}                  sends SIGKILL and waits for the end
  {"do": "stop", "name": N}                  sends SIGTERM and waits; answered by {"exit_code": C}, 128 + the signal if
                                             one ended it. Kills it after --grace seconds, which is a failure
  {"do": "start", "name": N, "flags": [F]}   restarts a process that has ended; "flags", if given, replace those of its
                                             role from now on. Answered by {"processes": [...]}

Starts fail after --timeout seconds. Failures are answered by {"error": REASON}. All processes are killed at the end of
standard input.
"""

import json
import sys

from . import layout as layouts
from .cluster import Cluster
from .failure import Failure, Mistake

DEFAULT_SECONDS = 120  # For --timeout and --grace.


def run(options):
    if options.model is None:
        raise Mistake("attached needs --model")
    layout = layouts.Layout(options.model, options.bin, options.dense_workers or 1, _expert_workers(options),
                            options.routers, worker_flags=options.worker_flag, dense_flags=options.dense_flag,
                            expert_flags=options.expert_flag, router_flags=options.router_flag,
                            local_flags=options.local_flag, tls=options.tls)
    cluster = Cluster(layout, options.state, own_host_ids=options.own_host_ids)
    timeout, grace = options.timeout or DEFAULT_SECONDS, options.grace or DEFAULT_SECONDS
    try:
        _answer(lambda: (cluster.start(timeout), _processes(cluster))[1])
        for line in sys.stdin:
            _answer(lambda: _handle(cluster, json.loads(line), timeout, grace))  # pylint: disable=cell-var-from-loop
    finally:
        cluster.kill_all()
    return 0


def _expert_workers(options):
    """Returns the number of expert workers, at most one per expert, if there are experts."""
    return min(options.expert_workers, layouts.num_experts(options.model) or options.expert_workers)


def _answer(action):
    try:
        answer = action()
    except (Failure, OSError, ValueError, KeyError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)


def _processes(cluster):
    return {"processes": [{"name": name, "pid": handle.pid, "address": cluster.address(name),
                           "metrics": cluster.address(name, "metrics")} for name, handle in cluster.handles.items()]}


def _handle(cluster, request, timeout, grace):
    do, name = request["do"], request["name"]
    handle = cluster.handles[name]
    if do == "kill":
        cluster.kill([name])
        return {}
    if do == "stop":
        if cluster.stop([name], grace):
            raise Failure(f"{name} did not end within {grace} s: killed")
        return {"exit_code": handle.exit_code}
    if do == "start":
        if handle.running():
            raise ValueError(f"{name} is already running")
        if "flags" in request:
            setattr(cluster.layout, layouts.role_of(name).partition("-")[0] + "_flags", request["flags"])
        cluster.start_one(name, timeout)
        return _processes(cluster)
    raise ValueError(f'"do" is "{do}"; it must be kill, stop or start')

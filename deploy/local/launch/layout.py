"""The processes of a cluster and their flags."""

import json
import os

from .failure import Failure

ROUTER = "router/router"
DENSE_WORKER = "dense_worker/dense_worker"
EXPERT_WORKER = "expert_worker/expert_worker"
ALL_ROLES = "deploy/local/apollo_local"
CLIENT = "tools/apollo/apollo"
TARGETS = "//router //dense_worker //expert_worker //tools/apollo"
NAME = r"((?:expert|dense)-worker-[0-9]+|router(?:-[0-9]+)?|local|supervisor)"  # Of a process with a log.


class Layout:
    """The processes of a cluster. Expert e is on expert worker e modulo their number.

    `added` are further workers, with the numbers of the experts of each expert worker by name; `removed` are the names of
    those of the first that the cluster has no more.
    If expert_workers is 0, there is one process with all roles. If `dense_addresses` is given, the cluster has routers
    only, which use the dense workers at these addresses. Flags are lists of "--flag=value".
    """

    def __init__(self, model, binaries, dense_workers=1, expert_workers=1, routers=1, port=0, worker_flags=(),
                 dense_flags=(), expert_flags=(), router_flags=(), local_flags=(), dense_addresses=(), added=None, removed=(),
                 tls=False):
        self.model, self.binaries, self.port = model, binaries, port
        self.dense_workers, self.expert_workers, self.routers = dense_workers, expert_workers, routers
        self.worker_flags = list(worker_flags)  # For all processes that compute.
        self.dense_flags, self.expert_flags = list(dense_flags), list(expert_flags)
        self.router_flags, self.local_flags = list(router_flags), list(local_flags)
        self.dense_addresses = list(dense_addresses)
        self.added, self.removed = dict(added or {}), set(removed)
        self.tls = tls  # Every process has a certificate: certificates.py.

    def names(self):
        """Returns the names of all processes in the order of their dependencies."""
        if self.dense_addresses:
            return self.router_names()
        if self.expert_workers == 0:
            return ["local"]
        return self.expert_names() + self.dense_names() + self.router_names()

    def expert_names(self):
        return self._workers("expert-worker", self.expert_workers)

    def dense_names(self):
        return self._workers("dense-worker", self.dense_workers)

    def _workers(self, role, count):
        names = [f"{role}-{i}" for i in range(count)] + [name for name in self.added if role_of(name) == role]
        return [name for name in names if name not in self.removed]

    def add(self, role, experts=()):
        """Adds a worker and returns its name, which no other has had."""
        count = self.expert_workers if role == "expert-worker" else self.dense_workers
        numbers = [int(name.rpartition("-")[2]) for name in self.added if role_of(name) == role]
        name = f"{role}-{max([count - 1, *numbers]) + 1}"
        self.added[name] = list(experts)
        return name

    def remove(self, name):
        if self.added.pop(name, None) is None:
            self.removed.add(name)

    def others_with(self, name):
        """Returns the workers of the same role that can do the work of this one: that have all of its experts."""
        if role_of(name) == "dense-worker":
            return [other for other in self.dense_names() if other != name]
        return [other for other in self.expert_names()
                if other != name and set(self.experts_of(name)) <= set(self.experts_of(other))]

    def only_holder_of(self, name):
        """Returns the experts that no worker has but this one."""
        others = [expert for other in self.expert_names() if other != name for expert in self.experts_of(other)]
        return sorted(set(self.experts_of(name)) - set(others))

    def router_names(self):
        return ["router" if i == 0 else f"router-{i}" for i in range(self.routers)]

    def fronts(self):
        """Returns the names of the processes that clients call."""
        return ["local"] if self.expert_workers == 0 and not self.dense_addresses else self.router_names()

    def experts_of(self, name):
        """Returns the numbers of the experts of an expert worker; none if the model has none."""
        if name in self.added:
            return self.added[name]
        return list(range(int(name.rpartition("-")[2]), num_experts(self.model), self.expert_workers))

    def command(self, name, state, ports=None):
        """Returns the program and the flags of a process whose files are in the folder `state`.

        `ports` has its ports by kind, "grpc" and "metrics"; 0, the default, is any free one. That of the layout
        precedes.
        """
        role, ports = role_of(name), ports or {}
        port = (self.port if name in ("router", "local") else 0) or ports.get("grpc", 0)
        argv = [f"--model={self.model}", f"--name={name}", f"--listen=127.0.0.1:{port}",
                f"--metrics_listen=127.0.0.1:{ports.get('metrics', 0)}", f"--address_file={address_file(state, name)}"]
        experts = f"--expert_workers=file:{list_file(state, 'expert_workers')}"
        if role == "local":
            program, more = ALL_ROLES, [*self.worker_flags, *self.local_flags]
        elif role == "expert-worker":
            own = ",".join(map(str, self.experts_of(name))) or "all"  # Of none, if the model has none.
            program, more = EXPERT_WORKER, [f"--experts={own}", experts, *self.worker_flags, *self.expert_flags]
        elif role == "dense-worker":
            program, more = DENSE_WORKER, [experts, *self.worker_flags, *self.dense_flags]
        else:
            program = ROUTER
            more = [f"--dense_workers=file:{list_file(state, 'dense_workers')}", *self.router_flags]
        return [os.path.join(self.binaries, program), *argv, *more]


def role_of(name):
    """Returns "router", "dense-worker", "expert-worker" or "local"."""
    stem, _, number = name.rpartition("-")
    return stem if number.isdigit() else name


def address_file(state, name):
    return os.path.join(state, name + ".address")


def log_file(state, name):
    return os.path.join(state, name + ".log")


def list_file(state, which):
    """Returns the file with the addresses of "expert_workers" or "dense_workers", which other processes watch."""
    return os.path.join(state, which + ".list")


def num_experts(model):
    """Returns the number of experts of a model; 0 for a dense one. Raises Failure naming the file if it is not a model.

    The programs check which models they serve.
    """
    path = os.path.join(model, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config = config if isinstance(config, dict) else {}
        count = config.get("num_experts")
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {error}") from None
    if count is None:
        if config.get("model_type") or config.get("architectures"):
            return 0
        raise Failure(f"{path}: no num_experts, and no model_type: not a model")
    if type(count) is not int or count < 1:  # pylint: disable=unidiomatic-typecheck
        raise Failure(f"{path}: num_experts is {count!r}; it must be an integer of at least 1")
    return count

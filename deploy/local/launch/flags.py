"""Flags of the programs that a user passes on through cluster.sh, such as --dense-flag=--max_running=8."""

import re

from .failure import Mistake

_FLAG = re.compile(r"--?([A-Za-z][A-Za-z0-9_]*)(=.*)?", re.DOTALL)
ROLES = ("worker", "dense", "expert", "router")
# Flags that cluster.sh sets itself, with what to do instead.
_OWN = {
    "model": "use --model",
    "name": "cluster.sh names the processes",
    "listen": "cluster.sh chooses the addresses; --port is that of the router",
    "metrics_listen": "cluster.sh chooses the addresses; status shows them",
    "address_file": "cluster.sh needs it",
    "experts": "cluster.sh distributes the experts; use --expert-workers",
    "families": "cluster.sh distributes the experts; use --expert-workers",
    "expert_workers": "cluster.sh writes the list of expert workers",
    "dense_workers": "cluster.sh writes the list of dense workers",
    "tls_cert": "use --tls",
    "tls_key": "use --tls",
    "tls_ca": "use --tls",
    "weights": "use --weights, because it must be the same in all workers",
}
# Those of all workers that have an option. For one role, they replace it.
_OPTIONS = ("cache_megabytes", "device", "threads")


def check(role, given):
    """Raises Mistake unless `given` is a list of flags that --ROLE-flag may pass on."""
    for flag in given:
        found = _FLAG.fullmatch(flag)
        if not found:
            raise Mistake(f'--{role}-flag is "{flag}"; it must be --name or --name=value')
        name = found[1]
        instead = _OWN.get(name)
        if role == "worker" and name in _OPTIONS:
            instead = f"use --{name.replace('_', '-')}"
        if instead:
            raise Mistake(f"--{role}-flag={flag} is refused: {instead}")

"""Certificates of a cluster with TLS, signed by an authority of its own in its folder of state."""

import os
import subprocess

from . import layout as layouts
from .failure import Failure

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tls/make_test_ca.sh")
# Of the `apollo` tool.
CLIENT = "operator"
DAYS = "365"


def folder(state):
    return os.path.join(state, "tls")


def ensure(state, name):
    """Makes the certificate of a process, or of CLIENT, unless it exists. Raises Failure with the reason."""
    if os.path.exists(os.path.join(folder(state), name + ".pem")):
        return
    role = {"local": "router", CLIENT: "client"}.get(name) or layouts.role_of(name)
    made = subprocess.run([SCRIPT, folder(state), f"{role}/{name}"], env={**os.environ, "DAYS": DAYS},
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise Failure(f"no certificate of {name}: {made.stderr.strip()}")


def flags(state, name):
    """Returns the flags with which a process, or the `apollo` tool as CLIENT, uses its certificate."""
    stem = os.path.join(folder(state), name)
    return [f"--tls_cert={stem}.pem", f"--tls_key={stem}.key", f"--tls_ca={os.path.join(folder(state), 'ca.pem')}"]

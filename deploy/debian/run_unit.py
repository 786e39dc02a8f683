#!/usr/bin/env python3
"""Runs the command line of an installed systemd service in a root directory, without systemd.

Usage: run_unit.py ROOT UNIT

The process has no privileges, as with DynamicUser=yes and NoNewPrivileges=yes, and cannot make memory executable, as with
MemoryDenyWriteExecute=yes. Prints "ready" when it has told systemd's socket so (Type=notify), then waits for its end,
passing on SIGTERM. The exit code is that of the process.
"""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys

# Not resolve(), because Bazel's files are links.
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "systemd"))
import units  # noqa: E402

USER = "61184"  # The first of systemd's dynamic users.
READY_SECONDS = 120
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1  # <linux/prctl.h>; since Linux 6.3, ignored before.


def refuse_executable_memory():
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def main():
    root, unit = pathlib.Path(sys.argv[1]).absolute(), sys.argv[2]
    command = units.command(root / "lib/systemd/system" / unit, root)
    place = f"/run/{unit}.notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = root / place.lstrip("/")
        path.unlink(missing_ok=True)
        manager.bind(str(path))
        path.chmod(0o666)
        manager.settimeout(READY_SECONDS)
        environment = {"NOTIFY_SOCKET": place, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        with subprocess.Popen(["chroot", root, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                               "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *command], env=environment,
                              stdin=subprocess.DEVNULL, preexec_fn=refuse_executable_memory) as process:
            signal.signal(signal.SIGTERM, lambda *_: process.terminate())
            try:
                message = manager.recv(64)
            except TimeoutError:
                process.kill()
                sys.exit(f"{unit} was not ready within {READY_SECONDS} s")
            print("ready" if message == b"READY=1" else f"unexpected message {message!r}", flush=True)
            return process.wait()


if __name__ == "__main__":
    sys.exit(main())

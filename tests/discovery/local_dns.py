"""A DNS server for one test: dnsmasq (Debian: dnsmasq-base) on a free port of 127.0.0.1."""

import os
import pathlib
import signal
import socket
import subprocess
import time

PROGRAM = "/usr/sbin/dnsmasq"  # Where Debian installs it.
SECONDS = 60


class LocalDns:
    """Answers for the names of set_hosts(), which are below one domain. Runs until stop()."""

    def __init__(self, folder, domain="test"):
        if not os.access(PROGRAM, os.X_OK):
            raise AssertionError(f"no {PROGRAM}: run tools/install_packages.sh --dev")
        self._domain = domain
        self._hosts = pathlib.Path(folder) / "hosts"
        self._hosts.write_text("")
        self._log = pathlib.Path(folder) / "dnsmasq.log"
        for _ in range(5):
            self._process = self._start(_free_port())
            if self._process is not None:  # Otherwise another process has taken the port.
                return
        raise AssertionError(f"dnsmasq does not start: {self._log.read_text()}")

    def _start(self, port):
        self.address = f"127.0.0.1:{port}"
        with open(self._log, "wb") as log:
            process = subprocess.Popen(
                [PROGRAM, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                 "--bind-interfaces", "--listen-address=127.0.0.1", f"--port={port}", f"--local=/{self._domain}/",
                 "--pid-file=", "--group=", f"--user={'root' if os.geteuid() == 0 else ''}", "--log-facility=-",
                 f"--addn-hosts={self._hosts}"], stdout=log, stderr=log)
        end = time.monotonic() + SECONDS
        while process.poll() is None:
            if " read " in self._log.read_text():
                return process
            if time.monotonic() > end:
                process.kill()
                process.wait()
            time.sleep(0.02)
        return None

    def set_hosts(self, addresses):
        """Gives each name its addresses; the server answers accordingly within moments."""
        lines = [f"{address} {name}\n" for name, of in addresses.items() for address in of]
        new = self._hosts.with_suffix(".new")
        new.write_text("".join(lines))
        new.rename(self._hosts)
        self._process.send_signal(signal.SIGHUP)

    def stop(self):
        self._process.kill()
        self._process.wait()


def _free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

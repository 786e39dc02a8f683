"""A cluster of real processes with TLS and a policy: routers, a dense worker and an expert worker, with a tiny model."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.request

import grpc

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/privacy"))
import api  # noqa: E402

from signed_tokens import AUDIENCE, ISSUER, Signer  # noqa: E402

SECONDS = 120  # More than anything here takes on a busy machine.
MAKE_CA = ROOT / "deploy/tls/make_test_ca.sh"
POLICY = {
    "version": 1,
    "callers": [
        {"name": "clinic-a", "tenant": "north", "role": "client",
         "identities": {"uris": ["spiffe://apollo/client/clinic-a"]}},
        {"name": "clinic-b", "tenant": "north", "role": "client",
         "identities": {"uris": ["spiffe://apollo/client/clinic-b"]}},
        {"name": "clinic-c", "tenant": "south", "role": "client",
         "identities": {"uris": ["spiffe://apollo/client/clinic-c"]}},
        {"name": "limited", "role": "client", "limits": {"tokens_per_second": 0.01, "tokens_burst": 10},
         "identities": {"uris": ["spiffe://apollo/client/limited"]}},
        {"name": "operations", "role": "operator", "identities": {"uris": ["spiffe://apollo/admin/operations"]}},
        {"name": "portal", "role": "client", "identities": {"tokens": [
            {"issuer": ISSUER, "audience": AUDIENCE, "subject": "portal"}]}},
        {"name": "proxy", "role": "edge", "identities": {"uris": ["spiffe://apollo/edge/proxy"]}},
        {"name": "second-proxy", "role": "edge", "identities": {"uris": ["spiffe://apollo/edge/second"]}},
    ],
}
CERTIFICATES = ["client/clinic-a", "client/clinic-b", "client/clinic-c", "client/limited", "client/stranger",
                "admin/operations", "edge/proxy", "edge/second", "edge/unknown", "dense-worker/worker"]


def eventually(happened, what):
    """Returns the first true result of a function that is called again and again."""
    end = time.monotonic() + SECONDS
    while True:
        result = happened()
        if result:
            return result
        if time.monotonic() >= end:
            raise AssertionError(f"expected eventually: {what}; last: {result}")
        time.sleep(0.05)


def make_certificates(folder, *names):
    """Makes certificates ROLE/NAME, and their authority in a new folder."""
    subprocess.run([MAKE_CA, folder, *names], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def credentials(authority, folder=None, name=None):
    """Returns those of a certificate of `folder`, or of no certificate, for servers that the authority knows."""
    own = [(folder / f"{name}.{kind}").read_bytes() for kind in ("key", "pem")] if name else [None, None]
    return grpc.ssl_channel_credentials(authority.read_bytes(), *own)


class SecuredCluster:
    """Starts all and waits until all serve. The caller calls stop."""

    def __init__(self, binaries, model, folder, routers, router_flags=(), tls=True):
        self.folder = pathlib.Path(folder)
        self.certificates = self.folder / "tls"
        make_certificates(self.certificates, *CERTIFICATES)
        self.messages = api.load(str(ROOT))
        (self.folder / "policy.json").write_text(json.dumps(POLICY))
        self.signer = Signer(self.folder)
        self.keys = self.folder / "keys.json"
        self.keys.write_text(self.signer.public_keys())
        flags = [f"--policy={self.folder}/policy.json", f"--jwt_keys={self.keys}", *router_flags]
        self._launcher = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy/local/cluster.py"), "attached", f"--model={os.path.abspath(model)}",
             f"--bin={os.path.abspath(binaries)}", f"--state={self.folder}", *(["--tls"] if tls else []), f"--routers={routers}",
             "--expert-workers=1", "--dense-flag=--threads=1", "--dense-flag=--cache_megabytes=16",
             "--expert-flag=--threads=1", "--expert-flag=--cache_megabytes=16", f"--timeout={SECONDS}", f"--grace={SECONDS}",
             *(f"--router-flag={flag}" for flag in flags)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._processes = {}
        try:
            self._learn(self._read())
        except AssertionError:
            self.stop()
            raise

    def stop(self):
        self._launcher.stdin.close()
        self._launcher.wait()
        self._launcher.stdout.close()

    def _read(self):
        answer = json.loads(self._launcher.stdout.readline() or '{"error": "the launcher has ended"}')
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def _learn(self, answer):
        self._processes = {process["name"]: process for process in answer["processes"]}

    def do(self, what, name):
        """Does "stop", "kill" or "start" (launch/attached.py), and returns the answer."""
        print(json.dumps({"do": what, "name": name}), file=self._launcher.stdin, flush=True)
        answer = self._read()
        if what == "start":
            self._learn(answer)
        return answer

    def signal(self, name, number):
        os.kill(self._processes[name]["pid"], number)

    def freeze(self, name):
        self.signal(name, signal.SIGSTOP)

    def thaw(self, name):
        self.signal(name, signal.SIGCONT)

    def routers(self):
        return [name for name in self._processes if name.startswith("router")]

    def address(self, name):
        return self._processes[name]["address"]

    def metrics(self, name):
        with urllib.request.urlopen(f"http://{self._processes[name]['metrics']}/metrics", timeout=SECONDS) as answer:
            return answer.read().decode()

    def total(self, metric, *labels):
        """Returns the sum of a metric's samples that have these labels, in all routers."""
        total = 0
        for name in self.routers():
            for found, value in re.findall(rf"(?m)^{metric}(?:{{(.*)}})? (\S+)$", self.metrics(name)):
                if all(label in found.split(",") for label in labels):
                    total += float(value)
        return total

    def await_idle(self):
        """Waits until no call runs. A call runs, and one that is no answer is not counted yet, until just after its client
        has seen its end."""
        eventually(lambda: self.total("apollo_num_requests_running") == 0, "no call runs")

    def calls(self, caller, *labels):
        return self.total("apollo_caller_requests_total", f'caller="{caller}"', *labels)

    def client(self, address, name, authority=None, folder=None):
        """Returns a client with the certificate of a name, or with none. It reads at most 64 KB ahead."""
        own = credentials(authority or self.certificates / "ca.pem", folder or self.certificates, name)
        return api.Api(self.messages, address, own, [("grpc.http2.bdp_probe", 0)])

    def request(self, **fields):
        values = {"prompt": "How are you?", "language": "de", "max_new_tokens": 8, "ignore_eos": True, **fields}
        return self.messages.GenerateRequest(**values)

    def long_request(self):
        """Returns a request for an answer of a megabyte, which ends only if it is read."""
        request = self.request(max_new_tokens=480, logprobs=20)
        request.sampling.choices = 8
        return request

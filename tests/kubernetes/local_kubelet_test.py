#!/usr/bin/env python3
"""The pods of deploy/kubernetes/overlays as processes of this machine, with a tiny model: they start, are probed, asked,
updated and killed as in a cluster of Kubernetes, and no answer is lost.

Usage: local_kubelet_test.py BINARIES MODEL [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/kubernetes", "tests/discovery", "tests/edge",
                                                   "deploy/kubernetes")]
from load import BUSY, Client, Load  # noqa: E402
from local_machine import LocalMachine  # noqa: E402
from manifests import HERE, example  # noqa: E402
from signed_tokens import AUDIENCE, ISSUER, Signer  # noqa: E402

BINARIES, MODEL = (os.path.abspath(path) for path in sys.argv[1:3])


class LocalTest(unittest.TestCase):
    """Cases that have a cluster of the overlay OVERLAY."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.machine = LocalMachine(folder.name, self.OVERLAY, BINARIES, self.model(), self.config_maps())
        self.addCleanup(self.machine.stop)
        self.machine.deploy()
        self.client = Client(self.machine, self.folder / "operator")

    def model(self):
        """Returns the folder of the volume "model"."""
        return MODEL

    def config_maps(self):
        """Returns those that operators make or replace, besides that of the model."""
        return {}

    def run_client(self, *words, client=None):
        command = (client or self.client).command(self.machine.endpoints("router")[:1], *words)
        while True:
            output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
            if BUSY not in output:
                return output


class CpuTest(LocalTest):
    OVERLAY = "cpu"

    def load(self):
        load = Load(self.machine, self.client)
        self.addCleanup(load.end)
        self.await_answers(load)
        return load

    def await_answers(self, load):
        """Waits until each client has an answer to a question that it asked from now on."""
        before = load.counts()
        self.machine.eventually(lambda: all(count >= old + 2 for count, old in zip(load.counts(), before)), "answers")

    def check(self, load):
        """Checks that nobody noticed anything, and that somebody was there."""
        self.await_answers(load)
        load.end()
        self.assertEqual(load.failures(), [])
        self.assertEqual(len(load.answers()), 1)

    def test_pods_find_each_other_by_their_names(self):
        status = self.run_client("status")
        for pod in self.machine.pods():
            if pod.workload.role != "router":
                self.assertIn(pod.name, status)

    def test_an_update_loses_no_answer(self):
        load = self.load()
        for workload in ("experts-a", "experts-b", "dense", "router"):  # As docs/kubernetes.md says.
            self.machine.update(workload, load.await_begun)
        self.check(load)

    def test_workers_that_are_killed_are_restarted_and_lose_no_answer(self):
        load = self.load()
        for name in ("experts-a", "experts-b", "dense"):
            # Any of them: the same prompts go to the workers that hold them.
            pod = self.working_pod(name)
            pod.kill()
            pod.ready_since = None
            pod.start()
            self.machine.eventually(pod.available, f"{pod.name} is available")
            self.await_answers(load)
        self.check(load)

    def working_pod(self, workload):
        """Returns a pod that computes an answer, as soon as there is one."""
        working = []

        def find():
            working.extend(pod for pod in self.machine.pods(workload) if pod.metric("apollo_num_requests_running") > 0)
            return bool(working)

        self.machine.eventually(find, f"a pod of {workload} works on a request")
        return working[0]

    def test_a_router_without_workers_is_not_ready(self):
        for pod in self.machine.pods("dense"):
            self.machine.remove(pod)
        (first, *_) = self.machine.pods("router")
        self.machine.eventually(lambda: not first.probe(), "the router is not ready")
        self.assertTrue(first.alive())  # So it is not restarted.


class ProductionTest(LocalTest):
    OVERLAY = "production"

    def test_operators_are_answered_and_audited(self):
        answer = self.run_client("ask", "--temperature", "0", "--max_new_tokens", "8", "How are you?")
        self.assertIn("8 tokens", answer)
        logs = self.machine.claim("audit")
        self.machine.eventually(lambda: any("operator" in path.read_text() for path in logs.glob("*.jsonl")),
                                "an entry of the audit log")


class TokensTest(LocalTest):
    OVERLAY = "tokens"

    def config_maps(self):
        self.signer = Signer(self.folder)  # pylint: disable=attribute-defined-outside-init
        policy = json.loads((HERE / "components/access/policy.json").read_text())
        identity = {"issuer": ISSUER, "audience": AUDIENCE, "subject": "portal"}
        policy["callers"].append({"name": "portal", "role": "client", "identities": {"tokens": [identity]}})
        return {"jwt-keys": {"keys.json": self.signer.public_keys()}, "policy": {"policy.json": json.dumps(policy)}}

    def ask(self, token):
        """Returns the output of a client without a certificate."""
        (self.folder / "token").write_text(token)
        client = Client(self.machine, self.folder / f"client-{len(os.listdir(self.folder))}", self.folder / "token")
        return self.run_client("ask", "--temperature", "0", "--max_new_tokens", "8", "How are you?", client=client)

    def test_callers_with_tokens_are_answered_and_others_are_not(self):
        self.assertIn("8 tokens", self.ask(self.signer.sign("portal")))
        self.assertIn("UNAUTHENTICATED", self.ask(Signer(self.folder, "other").sign("portal")))
        self.assertIn("PERMISSION_DENIED", self.ask(self.signer.sign("nobody")))
        # Certificates count as before.
        self.assertIn("8 tokens", self.run_client("ask", "--temperature", "0", "--max_new_tokens", "8", "How are you?"))


class LoadedModelTest(LocalTest):
    """The volume is filled as docs/kubernetes.md says, by the pod of examples/load_model.yaml."""

    OVERLAY = "cpu"

    def model(self):
        (pod,) = example("load_model.yaml")
        (container,) = pod["spec"]["containers"]
        volume = self.folder / "filled"
        volume.mkdir()
        (volume / "lost+found").mkdir()  # Of its file system.
        command = [shutil.which(container["command"][0]), *container["command"][1:]]
        with subprocess.Popen(command) as shell:
            # What `kubectl cp MODEL/. load-model:/model` runs: one tar here, and one in the pod. Files of tests may be links.
            with subprocess.Popen(["tar", "cf", "-", "-C", MODEL, "-h", "."], stdout=subprocess.PIPE) as source:
                subprocess.run(["tar", "xmf", "-", "-C", volume], stdin=source.stdout, check=True)
            self.assertEqual(source.returncode, 0)
            self.assertIsNone(shell.poll())  # The pod lasts until it is deleted.
            shell.terminate()
        return volume

    def config_maps(self):
        lines = subprocess.run("find -L . -type f -print0 | xargs -0 sha256sum", shell=True, cwd=MODEL, check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        return {"model": {"SHA256SUMS": lines}}

    def test_the_cluster_answers(self):
        answer = self.run_client("ask", "--temperature", "0", "--max_new_tokens", "8", "How are you?")
        self.assertIn("8 tokens", answer)


if __name__ == "__main__":
    del LocalTest  # It has no cases itself.
    del sys.argv[1:3]
    unittest.main()

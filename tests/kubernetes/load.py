"""Clients that ask the same question again and again, through the service "router"."""

import json
import random
import subprocess
import threading

# The client gives up a connection that takes longer than a second, which says nothing about the cluster.
BUSY = "connection attempt timed out"


class Client:
    """Asks with the certificate of the Secret of operators, or with the token in a file, and only the authority of that."""

    def __init__(self, machine, folder, token=None):
        self._machine, self._folder, self._token = machine, folder, token
        (certificate,) = [item["spec"] for item in machine.manifests.of("Certificate")
                          if item["metadata"]["name"] == "operator"]
        machine.authority.issue(folder, certificate["uris"])

    def command(self, pods, *words):
        """The first pod is the one that the Service has chosen; an answer that breaks goes on at the others."""
        servers = ",".join(pod.listening() for pod in pods)
        host = f"router.{self._machine.namespace}.svc.cluster.local"
        own = ([f"--token_file={self._token}"] if self._token else
               [f"--tls_cert={self._folder}/tls.crt", f"--tls_key={self._folder}/tls.key"])
        return [self._machine.program("apollo"), f"--server={servers}", *own, f"--tls_ca={self._folder}/ca.crt",
                f"--tls_server_name={host}", *words]


# Of families in different groups, so that all workers have work.
LANGUAGES = ["zh", "en", "ko", "sw"]


class Asking(threading.Thread):
    """One client, until end(). Keeps the failures and all answers that were different."""

    def __init__(self, machine, client, language):
        super().__init__()
        self._machine, self._client, self._language = machine, client, language
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._pending = None  # The first router of a call that has not begun.
        self.count, self.answers, self.failures = 0, set(), []

    def run(self):
        while not self._ended.is_set():
            answer, error = self._ask()
            if answer is None and BUSY in error:
                continue
            with self._changed:
                self.count += 1
                if answer is None:
                    self.failures.append(error)
                else:
                    self.answers.add(answer)

    def _choose(self):
        with self._changed:
            # Pods that stop are seen here, or await_begun() sees the call.
            pods = self._machine.endpoints("router")
            random.shuffle(pods)
            self._pending = pods[0]
            return pods

    def _begun(self):
        with self._changed:
            self._pending = None
            self._changed.notify_all()

    def _ask(self):
        command = self._client.command(self._choose(), "--json", "ask", "--temperature", "0", "--max_new_tokens", "48",
                                       "--language", self._language, "How are you?")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            lines = [process.stdout.readline()]
            self._begun()
            lines += process.stdout.readlines()
            error = process.stderr.read()
        if process.returncode != 0:
            return None, error
        events = [json.loads(line) for line in lines]
        return json.dumps([event["delta"] for event in events if "delta" in event]), None

    def await_begun(self, pod):
        """Waits until no call is on its way to a router: those that go on have begun."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending is not pod)

    def end(self):
        self._ended.set()
        self.join()


class Load:
    """A client for each of LANGUAGES, at the same time."""

    def __init__(self, machine, client):
        self._askings = [Asking(machine, client, language) for language in LANGUAGES]
        for asking in self._askings:
            asking.start()

    def await_begun(self, pod):
        for asking in self._askings:
            asking.await_begun(pod)

    def counts(self):
        return [asking.count for asking in self._askings]

    def failures(self):
        return [failure for asking in self._askings for failure in asking.failures]

    def answers(self):
        return set().union(*(asking.answers for asking in self._askings))

    def end(self):
        for asking in self._askings:
            asking.end()

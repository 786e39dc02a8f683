"""A real Envoy with the configuration of deploy/envoy in front of two real routers, for test cases."""

import pathlib
import sys
import tempfile
import unittest

from failures import trailers_of
from local_envoy import LocalEnvoy, make_tls_folder, require_envoy
from secured_cluster import ROOT, SECONDS, SecuredCluster
import api

BINARIES, MODEL = sys.argv[1:3]
DETAILS = api.load(str(ROOT), "rpc", ("details",))


def details_of(error):
    """Returns the messages in the details of an error by their names."""
    status = DETAILS.Status.FromString(trailers_of(error)["grpc-status-details-bin"])
    result = {}
    for detail in status.details:
        name = detail.type_url.rpartition(".")[2]
        result[name] = getattr(DETAILS, name).FromString(detail.value)
    return result


class EdgeCase(unittest.TestCase):
    """Cases with a cluster, and an Envoy with OPTIONS in front of it."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        require_envoy()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        # A call that is not read pauses early, whatever is buffered on its way.
        cls.cluster = SecuredCluster(BINARIES, MODEL, cls.folder / "cluster", 2,
                                     ["--call_output_bytes=32768", "--tls_client_auth=request",
                                      f"--drain_timeout={SECONDS}s"])
        cls.addClassCleanup(cls.cluster.stop)
        make_tls_folder(cls.folder / "tls", cls.cluster.certificates, cls.folder / "public")
        cls.envoy = LocalEnvoy(cls.folder / "edge", cls.cluster, cls.folder / "tls", *cls.OPTIONS)
        cls.addClassCleanup(cls.envoy.stop)

    def another_envoy(self, name, *options):
        """Returns an Envoy of its own for a case, with a folder of this name."""
        envoy = LocalEnvoy(self.folder / name, self.cluster, self.folder / "tls", *options)
        self.addCleanup(envoy.stop)
        return envoy

    def client(self, name="clinic-a", folder=None, envoy=None):
        """Returns a client of Envoy with the certificate of a name, or with none."""
        client = self.cluster.client((envoy or self.envoy).address, name, self.folder / "public/ca.pem", folder)
        self.addCleanup(client.close)
        return client

    def complete(self, client, metadata=(), timeout=SECONDS, **fields):
        return client.call("Complete", self.cluster.request(**fields), "CompleteResponse", timeout, metadata)

    def hold(self, client, timeout=SECONDS):
        """Returns a stream that has begun and waits for its reader."""
        call = client.generate(self.cluster.long_request(), timeout=timeout)
        self.assertTrue(next(call).HasField("started"))
        return call

    def running(self):
        return self.cluster.total("apollo_num_requests_running")

    def await_idle(self):
        self.cluster.await_idle()

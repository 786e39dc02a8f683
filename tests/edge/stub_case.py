"""A real Envoy with the configuration of deploy/envoy in front of stubs of routers, for test cases."""

import pathlib
import tempfile
import unittest

import grpc

from local_envoy import LocalEnvoy, make_tls_folder, require_envoy
from secured_cluster import SECONDS, credentials, make_certificates
from stub_router import StubRouter

SERVICE = "/apollo.v1.InferenceService/"
# The stubs are healthy, also while this process stands still on a busy machine.
PATIENT = ("- timeout: 2s\n", f"- timeout: {SECONDS}s\n")


class StubRouters:
    """Routers by name, as LocalEnvoy asks for them."""

    def __init__(self, routers):
        self._routers = routers

    def routers(self):
        return list(self._routers)

    def address(self, name):
        return self._routers[name].address


class StubClient:
    """A client of an Envoy, with a connection of its own."""

    def __init__(self, address, own):
        self.channel = grpc.secure_channel(address, own, [("grpc.use_local_subchannel_pool", 1)])

    def complete(self, request=b"", metadata=(), timeout=SECONDS):
        return self.channel.unary_unary(SERVICE + "Complete")(request, timeout=timeout, metadata=metadata)

    def upload(self, parts):
        """Returns a call whose request has these parts, which may come at any time."""
        return self.channel.stream_unary(SERVICE + "Complete").future(parts, timeout=SECONDS)

    def stream(self, path=SERVICE + "Generate"):
        """Returns a stream, which has begun and has no end."""
        call = self.channel.unary_stream(path)(b"", timeout=SECONDS)
        next(call)
        return call


class StubCase(unittest.TestCase):
    """Cases with two routers. Each has an Envoy of its own, or several."""

    @classmethod
    def setUpClass(cls):
        require_envoy()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.certificates = cls.folder / "certificates"
        make_certificates(cls.certificates, "edge/proxy", "router/router", "client/clinic-a")
        make_tls_folder(cls.folder / "tls", cls.certificates, cls.folder / "public")
        cls.stubs = [StubRouter(cls.certificates) for _ in range(2)]
        for stub in cls.stubs:
            cls.addClassCleanup(stub.stop)
        cls.cluster = StubRouters({f"router-{number}": stub for number, stub in enumerate(cls.stubs)})

    def another_envoy(self, name, *options, cluster=None, changes=()):
        """Returns an Envoy with a folder of this name."""
        envoy = LocalEnvoy(self.folder / name, cluster or self.cluster, self.folder / "tls", *options,
                           changes=(PATIENT, *changes))
        self.addCleanup(envoy.stop)
        return envoy

    def client(self, envoy):
        own = credentials(self.folder / "public/ca.pem", self.certificates, "clinic-a")
        client = StubClient(envoy.address, own)
        self.addCleanup(client.channel.close)
        return client

    def seen(self):
        """Returns the number of calls that routers have seen."""
        return sum(stub.seen for stub in self.stubs)

"""The cluster's API without generated stubs: messages made by protoc, and calls by their names."""

import importlib
import os
import subprocess
import sys
import tempfile

import grpc


def load(root, package="v1", names=("inference", "sampling")):
    """Returns the messages of the public API, or of another file of proto/apollo and those that it imports, from the
    files of `root`."""
    folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    files = [os.path.join("proto/apollo", package, f"{name}.proto") for name in names]
    subprocess.run(["protoc", f"-I{root}", f"--python_out={folder}", *files], check=True, cwd=root)
    sys.path.insert(0, folder)
    return importlib.import_module(f"proto.apollo.{package}.{names[0]}_pb2")


class Api:
    """A client of one router, with TLS if there are `credentials`. Requests may be messages, or bytes that no message
    has."""

    def __init__(self, messages, address, credentials=None, options=()):
        self.messages = messages
        options = [("grpc.use_local_subchannel_pool", 1), *options]
        self.channel = (grpc.secure_channel(address, credentials, options) if credentials
                        else grpc.insecure_channel(address, options))

    def close(self):
        self.channel.close()

    @staticmethod
    def _bytes(request):
        return request if isinstance(request, bytes) else request.SerializeToString()

    def generate(self, request, timeout=120, metadata=()):
        """Returns the stream of a Generate call."""
        call = self.channel.unary_stream("/apollo.v1.InferenceService/Generate", self._bytes,
                                         self.messages.GenerateResponse.FromString)
        return call(request, timeout=timeout, metadata=metadata)

    def call(self, method, request, response, timeout=120, metadata=()):
        """Calls a method with one response, whose type is named."""
        path = method if method.startswith("/") else f"/apollo.v1.InferenceService/{method}"
        call = self.channel.unary_unary(path, self._bytes, getattr(self.messages, response).FromString)
        return call(request, timeout=timeout, metadata=metadata)

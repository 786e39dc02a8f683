"""The cluster's API without generated stubs: messages made by protoc, and calls by their names."""

import importlib
import os
import subprocess
import sys
import tempfile

import grpc


def load(root):
    """Returns the messages of the public API, from the files of `root`."""
    folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    files = [os.path.join("proto/apollo/v1", name) for name in ("inference.proto", "sampling.proto")]
    subprocess.run(["protoc", f"-I{root}", f"--python_out={folder}", *files], check=True, cwd=root)
    sys.path.insert(0, folder)
    return importlib.import_module("proto.apollo.v1.inference_pb2")


class Api:
    """A client of one router. Requests may be messages, or bytes that no message has."""

    def __init__(self, messages, address):
        self.messages = messages
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])

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

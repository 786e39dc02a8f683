#!/usr/bin/env python3
"""Runs the Python client of README.md against a cluster in one process.

Debian has no usable grpcio-tools: without it, grpc.protos_and_services, the one
function that needs it, is replaced by one that runs protoc.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import grpc

# Not resolve(), because Bazel's files are links.
ROOT = pathlib.Path(__file__).absolute().parents[2]
BINARIES = ROOT if (ROOT / "deploy/local/apollo_local").exists() else ROOT / ".bazel/bin"
ADDRESS = "127.0.0.1:50051"


def snippet():
    """Returns the first block of Python in README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)


def protos_and_services(path):
    """Does what grpc.protos_and_services does, with protoc."""
    folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    files = sorted(str(file.relative_to(ROOT)) for file in (ROOT / path).parent.glob("*.proto"))
    subprocess.run(["protoc", f"-I{ROOT}", f"--python_out={folder}", *files], check=True, cwd=ROOT)
    sys.path.insert(0, folder)
    messages = importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")

    class InferenceServiceStub:
        """The one method that the snippet calls."""

        def __init__(self, channel):
            self.Generate = channel.unary_stream(  # pylint: disable=invalid-name
                "/apollo.v1.InferenceService/Generate",
                request_serializer=messages.GenerateRequest.SerializeToString,
                response_deserializer=messages.GenerateResponse.FromString)

    services = type("Services", (), {"InferenceServiceStub": InferenceServiceStub})
    return messages, services


class SnippetTest(unittest.TestCase):
    """The snippet, as it is but for the address."""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        file = folder / "addresses"
        server = subprocess.Popen([  # pylint: disable=consider-using-with
            str(BINARIES / "deploy/local/apollo_local"), f"--model={ROOT}/tests/golden/published",
            "--listen=127.0.0.1:0", f"--address_file={file}"])
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        end = time.monotonic() + 60
        words = []
        while len(words) < 2:  # "grpc ADDRESS", then others.
            self.assertIsNone(server.poll(), "the server has ended")
            self.assertLess(time.monotonic(), end, "the server does not start")
            time.sleep(0.05)
            words = file.read_text(encoding="utf-8").split() if file.exists() else []
        self.address = words[1]

    def test_prints_an_answer(self):
        """The model is random, and so is the text."""
        source = snippet()
        self.assertIn(ADDRESS, source)
        if importlib.util.find_spec("grpc_tools") is None:
            grpc.protos_and_services = protos_and_services
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.chdir(ROOT):
            exec(source.replace(ADDRESS, self.address), {})  # pylint: disable=exec-used
        self.assertNotEqual(out.getvalue(), "")


if __name__ == "__main__":
    unittest.main()

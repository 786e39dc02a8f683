#!/usr/bin/env python3
"""The search for canaries finds them in every form and channel, and nothing else."""

import base64
import http.server
import json
import pathlib
import struct
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import canaries  # noqa: E402
from sweep import Sweep  # noqa: E402


class CanariesTest(unittest.TestCase):
    def setUp(self):
        self.canaries = canaries.Canaries()
        for name, phrase in canaries.PHRASES.items():
            self.canaries.add_text(name, phrase)
        self.canaries.add_tokens("ids", [9, 250, 31, 4, 77, 12])

    def check(self, name, data):
        self.assertTrue(any(found.startswith(name) for found in self.canaries.found_in(data)), (name, data))

    def test_every_phrase_in_every_form(self):
        for name, phrase in canaries.PHRASES.items():
            text = phrase.encode()
            self.check(name, b"a log line with " + text + b" inside")
            self.check(name, json.dumps({"field": f"about {phrase}."}).encode())
            self.check(name, text.hex().encode())
            for before in (b"", b"x", b"xy", b"xyz"):
                self.check(name, base64.b64encode(before + text + b" and more"))

    def test_tokens_in_text_and_in_memory(self):
        for data in (b"[9,250,31,4,77]", b"ids: 250 31 4 77 12", b"9, 250, 31, 4, 77, 12",
                     b"9\n250\n31\n4\n77", struct.pack("<5i", 250, 31, 4, 77, 12)):
            self.check("ids", data)

    def test_nothing_else(self):
        for data in (b"", b"9,250,4,31,77", b"19,250,31,4,77", b"9,250,31,4,771", b"fever and cough",
                     json.dumps({"seconds": 1.25, "rows": 250}).encode()):
            self.assertEqual(self.canaries.found_in(data), [])


class SweepTest(unittest.TestCase):
    def setUp(self):
        found = canaries.Canaries()
        found.add_text("it", "zyxwvuts quelm")
        self.sweep = Sweep(found)
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_files_and_their_names(self):
        (self.folder / "a/b").mkdir(parents=True)
        (self.folder / "a/b/log").write_text("... zyxwvuts quelm ...")
        (self.folder / "a/zyxwvuts quelm").write_text("")
        (self.folder / "a/other").write_text("zyxwvuts")
        self.sweep.look_at_folder("state", self.folder)
        self.assertEqual(len([leak for leak in self.sweep.leaks if leak == ("state", "it as text")]), 2)

    def test_metrics(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/metrics" else 404)
                self.end_headers()
                self.wfile.write(b'apollo_x{text="zyxwvuts quelm"} 1')

            def log_message(self, *_):
                pass

        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.sweep.look_at_metrics("metrics", f"127.0.0.1:{server.server_port}")
        self.assertEqual(len([leak for leak in self.sweep.leaks if leak[1] == "it as text"]), 3)


if __name__ == "__main__":
    unittest.main()

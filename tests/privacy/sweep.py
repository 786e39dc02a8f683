"""Everything that leaves a cluster's processes besides answers, by channel."""

import os
import urllib.error
import urllib.request


class Sweep:
    """Collects what channels have, and tells which of them have a canary."""

    def __init__(self, canaries):
        self._canaries = canaries
        self.leaks = []  # (channel, canary)
        self.bytes = {}  # By channel: a channel without any was not looked at.

    def look(self, channel, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        self.bytes[channel] = self.bytes.get(channel, 0) + len(data)
        self.leaks += [(channel, name) for name in self._canaries.found_in(data)]

    def look_at_file(self, channel, path):
        # The name, too.
        self.look(channel, os.fsencode(os.path.basename(path)))
        try:
            with open(path, "rb") as file:
                self.look(channel, file.read())
        except OSError as error:
            # A socket, or a file that its owner has removed.
            self.look(channel, str(error.errno))

    def look_at_folder(self, channel, folder, but=()):
        for path, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if os.path.join(path, name) not in but]
            for name in files:
                if os.path.join(path, name) not in but:
                    self.look_at_file(channel, os.path.join(path, name))

    def look_at_metrics(self, channel, address):
        """Also asks for what is not there."""
        for path in ("/metrics", "/", "/missing"):
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as response:
                    self.look(channel, response.read() + str(response.headers).encode())
            except urllib.error.HTTPError as error:
                self.look(channel, error.read() + str(error.headers).encode())

    def look_at_error(self, channel, error):
        """An error that a client of gRPC got: its message, its details and its trailers."""
        self.look(channel, error.details() or "")
        for key, value in error.trailing_metadata() or ():
            self.look(channel, key)
            self.look(channel, value)

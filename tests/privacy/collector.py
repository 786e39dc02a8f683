"""The collector to which the processes of a cluster send their spans."""

import os
import subprocess

from cluster import SECONDS


class Collector:
    """A process that receives spans at `address` until it is asked for them."""

    def __init__(self, binaries):
        # Without buffers, so that what follows the address is left for take().
        self._process = subprocess.Popen([os.path.join(binaries, "tests/privacy/span_collector")], bufsize=0,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = self._process.stdout.readline().decode().strip()
        if not self.address:
            raise RuntimeError(f"the collector has ended with {self._process.wait(SECONDS)}")

    def take(self):
        """Ends the collector. Returns everything that it has received: names, attributes and events of spans, and what
        else came with them."""
        data, _ = self._process.communicate(timeout=SECONDS)
        if self._process.returncode != 0:
            raise RuntimeError(f"the collector has ended with {self._process.returncode}")
        return data

    def stop(self):
        """Ends it if take() has not."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

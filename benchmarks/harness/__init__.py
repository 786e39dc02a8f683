"""Common parts of the benchmarks: clusters, load, statistics, tables."""

import os
import sys

# deploy/local/launch starts clusters here, too. Not realpath: Bazel's files are links to elsewhere.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(_ROOT, "deploy/local"))

"""Common parts of the benchmarks: clusters, load, statistics, tables."""

import os
import sys

# deploy/local/launch starts clusters here, too. First, because other packages are called `launch`, such as that of ROS.
# Not realpath: Bazel's files are links to elsewhere.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(_ROOT, "deploy/local"))

#!/bin/bash
# Tests and measures the cluster on a machine with a GPU, in less than 6 minutes:
# kernels, stages, a golden model through a cluster, links, faults, speed. Prints
# progress and a table. docs/results/gpu.md explains the parts.
#
# Usage: tests/gpu/run.sh [--bundle FILE|DIR] [--out DIR] [--device cuda:N|cpu]
#                         [--parts NAME,...] [--seconds N]
#   --bundle FILE|DIR  the file of tests/gpu/bundle.sh, or a folder with its
#                      content; without it, one is built in a temporary folder
#   --out DIR          keeps report.txt, results.json and logs.tar.xz there
#   --device           default cuda:0; cpu tests this script without a GPU, with
#                      those parts that do not need one
#   --parts            only these parts; "list" prints their names
#   --seconds          time limit of the whole; default 350. Beyond that the limits
#                      of the parts grow with it, for slow machines
# Without a GPU prints "SKIPPED: no GPU" and succeeds; REQUIRE_GPU=1 makes it fail.
# The exit code is 0 only if no part failed, and 2 for wrong usage.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for argument in "$@"; do
  if [[ $argument == -h || $argument == --help ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
    exit 0
  fi
done
# Not /usr/bin/python3: the one with PyTorch, if there is one.
python=$(command -v python3) || {
  echo "$0: python3 is missing" >&2
  exit 1
}
exec "$python" "$here/run.py" "$@"

#!/usr/bin/env bash
# Shows that failover works: builds the programs, harms clusters of real
# processes in many ways, and prints a table of results. The exit code is 0 only
# if every scenario has passed. Those that need network namespaces are skipped,
# with the reason, where these are not allowed.
#
# Usage: tests/faults/run.sh [--long] [--seed N] [--scenario NAME] [--seconds S]
#   --long           with the demo model, more and longer faults; bars count;
#                    takes some hours
#   --seed N         of moments, faults and requests; default 1
#   --scenario NAME  one scenario; may be given several times; default: all
#   --seconds S      time of the scenarios that take any (mixed, overload)
#   --list           show the scenarios and their bars
#   other options are those of `.bazel/bin/tests/faults/faults --help`
#
# The results also go to the file $OUT, by default faults.json in the current
# directory.
set -euo pipefail
out=$(realpath -m "${OUT:-faults.json}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

demo=()
for argument in "$@"; do
  case "$argument" in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    --long)
      model=$(deploy/local/demo_model.sh | tail -n 1)
      demo=(--demo_model "$model")
      ;;
  esac
done
bazel build -c opt //router //dense_worker //expert_worker //tests/faults
exec .bazel/bin/tests/faults/faults --programs .bazel/bin --json "$out" "${demo[@]}" "$@"

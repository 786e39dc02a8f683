#!/bin/bash
# A short run prints a row for each number of sequences.
#
# Usage: core_cost_test.sh CORE_COST
set -uo pipefail

output=$("$1" --steps 2) || { echo "expected it to run" >&2; exit 1; }
for sequences in 1 16 64 256; do
  grep -Eq "^$sequences( +[0-9]+\\.[0-9]){4}$" <<< "$output" ||
    { echo "no row of $sequences in: $output" >&2; exit 1; }
done
if "$1" --steps 0 2> /dev/null; then
  echo "expected --steps 0 to be refused" >&2
  exit 1
fi

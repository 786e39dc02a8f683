#!/bin/bash
# Runs each libFuzzer target for a while with new inputs, starting from its
# committed corpus. Inputs that break a target stay in /tmp/apollo-fuzz.
#
# Usage: tests/fuzz.sh SECONDS [RESULTS_FILE]
#   RESULTS_FILE gets a line "PASSED label" or "FAILED label" for each target.
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ ${1:-} =~ ^[1-9][0-9]*$ ]] || { echo "usage: $0 SECONDS [RESULTS_FILE]" >&2; exit 2; }
seconds=$1
results=${2:-/dev/stdout}

bazel build --config=fuzz //tests/fuzz/...
bin=$(bazel info --config=fuzz bazel-bin 2> /dev/null)
mapfile -t labels < <(bazel query 'filter("_fuzz_test$", kind(cc_test, //tests/fuzz/...))' 2> /dev/null)
((${#labels[@]} > 0)) || { echo "$0: there are no fuzz targets" >&2; exit 1; }

failed=0
for label in "${labels[@]}"; do
  package=${label#//} name=${label##*:}
  package=${package%%:*}
  work=$(mktemp -d) # New inputs that reach new code.
  found=${TMPDIR:-/tmp}/apollo-fuzz/$name
  mkdir -p "$found"
  corpus=()
  for seeds in "$package/corpus" "$package/${name%_fuzz_test}_corpus"; do
    if [[ -d $seeds ]]; then corpus+=("$seeds"); fi
  done
  if "$bin/$package/$name" -max_total_time="$seconds" -rss_limit_mb=2048 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$found/" \
    "$work" "${corpus[@]}" 2> >(grep -ve '^{"time":' -e '^.libprotobuf' >&2); then # Logs.
    echo "PASSED $label" >> "$results"
  else
    echo "FAILED $label" >> "$results"
    echo "inputs that break $label are in $found" >&2
    failed=1
  fi
  rm -rf "$work"
done
exit $failed

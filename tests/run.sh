#!/bin/bash
# Installs what is missing, checks the style, prepares the demo model and runs all
# tests. The last line is "N passed, N failed", where N counts test targets and
# checks; exit code 0 only if some passed and none failed.
#
# Usage: tests/run.sh [--full] [--fuzz SECONDS] [BAZEL ARGUMENT...]
#   (nothing)       style, all tests (gcc, warnings are errors), layers
#   --full          also all tests built by clang with its analysis of locks and
#                   AddressSanitizer (and leaks, undefined behaviour), all tests
#                   with ThreadSanitizer, and clang-tidy on what changed lately
#   --fuzz SECONDS  also run each fuzz target for so long, with new inputs
#   anything else   goes to `bazel test`, for example --config=cuda
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The home directory holds the demo model; some containers set none.
export HOME=${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}

# What is tested, and how: "CONFIG TARGETS".
runs=("werror //...")
tidy=false
fuzz_seconds=0
arguments=()
while (($# > 0)); do
  case "$1" in
    --full)
      runs+=("clang_asan //..." "tsan //...")
      tidy=true
      ;;
    --fuzz)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "$0: --fuzz needs a number of seconds" >&2; exit 2; }
      fuzz_seconds=$2
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

say() { printf '\n=== [%d s] %s\n' "$SECONDS" "$*"; }

results=$(mktemp -d)
finish() {
  rm -rf "$results"
  # A CI machine wants to end; a developer's keeps Bazel warm.
  if [[ ${CI:-} == true ]]; then bazel shutdown > /dev/null 2>&1; fi
}
trap finish EXIT
# Whatever goes wrong before a test has run is a failure with a last line, too.
broken() {
  echo "$1" >&2
  echo "0 passed, 1 failed"
  exit 1
}

say "packages"
tools/install_packages.sh --plots --dev || broken "could not install the packages"

say "demo model"
model=$(deploy/local/demo_model.sh | tail -n 1) ||
  broken "deploy/local/demo_model.sh failed"
[[ -f $model/config.json ]] || broken "deploy/local/demo_model.sh made no model: \"$model\""
export APOLLO_DEMO_MODEL=$model # .bazelrc hands it on to the tests.

failed=0
part() { # NAME COMMAND...
  local name=$1
  shift
  if "$@"; then
    echo "PASSED $name" >> "$results/parts.txt"
  else
    echo "FAILED $name" >> "$results/parts.txt"
  fi
}

say "style"
part tests/style.sh tests/style.sh

for run in "${runs[@]}"; do
  read -r config targets <<< "$run"
  say "bazel test --config=$config $targets"
  code=0
  # shellcheck disable=SC2086 # Targets are several words.
  bazel test --config="$config" --keep_going \
    --build_event_json_file="$results/run-$config.json" "${arguments[@]}" -- $targets ||
    code=$?
  # 3: a test failed, which its results say. Anything else may leave no results:
  # a program that is not a test does not build, a BUILD file is wrong.
  if ((code != 0 && code != 3)); then
    echo "FAILED build-$config" >> "$results/parts.txt"
  fi
done

if ((fuzz_seconds > 0)); then
  say "fuzzing, $fuzz_seconds s for each target"
  tests/fuzz.sh "$fuzz_seconds" "$results/fuzz.txt" || failed=1
fi

say "layers"
part tools/check_layers.py tools/check_layers.py

if $tidy; then
  say "clang-tidy"
  part clang-tidy tests/style.sh --tidy
fi

say "results"
shopt -s nullglob
python3 tests/count_results.py "$results"/run*.json "$results"/*.txt || failed=1
exit $failed

#!/bin/bash
# Installs missing packages, checks the style, prepares the demo model and runs
# all tests. The last line is "N passed, N failed", where N counts test targets
# and checks. The exit code is 0 only if some passed and none failed. A test that
# fails is run once more (not with a sanitizer); the results name it as FLAKY if
# it passes then.
#
# Usage: tests/run.sh [--full] [--fuzz SECONDS] [BAZEL ARGUMENT...]
#   (no option)     style, all tests (gcc, warnings are errors), layers; the tests
#                   of threads and links also built by clang, with its analysis
#                   of locks and ThreadSanitizer
#   --full          these and AddressSanitizer (with leaks and undefined
#                   behaviour) for all tests, and clang-tidy on recent changes
#   --fuzz SECONDS  also run each fuzz target for this time, with new inputs
#   other arguments are passed to `bazel test`, for example --config=cuda
#
# What was compiled is kept in ${XDG_CACHE_HOME:-~/.cache}/apollo-moe/bazel, so
# that a second run compiles only what has changed. Tests always run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The demo model is in the home directory; some containers do not set HOME.
export HOME=${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}

# The tests to run: "CONFIG TARGETS".
threads="//common/... //link/... //serving/..."
runs=("werror //..." "clang_tsan $threads")
tidy=false
fuzz_seconds=0
arguments=()
while (($# > 0)); do
  case "$1" in
    --full)
      runs=("werror //..." "clang_asan //..." "clang_tsan //...")
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
  # On CI machines Bazel must end; for developers it stays warm.
  if [[ ${CI:-} == true ]]; then bazel shutdown > /dev/null 2>&1; fi
}
trap finish EXIT
# Failures before the first test also end with the last line of results.
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
export APOLLO_DEMO_MODEL=$model # .bazelrc passes it on to the tests.

# Bazel does not know the versions of the system's headers, so each set of
# packages has a folder of its own; only the last one is kept.
caches="${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/bazel"
cache="$caches/$(dpkg-query --show | sha256sum | cut -c 1-16)"
mkdir -p "$cache"
readonly most_cached=30000 # Megabytes.
find "$caches" -mindepth 1 -maxdepth 1 ! -path "$cache" -exec rm -rf {} +
if (($(du -sm "$cache" | cut -f 1) > most_cached)); then
  find "$cache" -mindepth 1 -delete
fi
arguments+=(--disk_cache="$cache" --nocache_test_results)

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
  attempts=2
  # A data race that shows itself once is one.
  if [[ $config == *san ]]; then attempts=1; fi
  # shellcheck disable=SC2086 # Targets are several words.
  bazel test --config="$config" --keep_going --flaky_test_attempts=$attempts \
    --build_event_json_file="$results/run-$config.json" "${arguments[@]}" -- $targets ||
    code=$?
  # 3: a test failed, and the results tell which. Other codes may leave no
  # results: a program that is not a test does not build, or a BUILD file is
  # wrong.
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

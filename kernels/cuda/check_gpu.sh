#!/bin/bash
# Tests and times the GPU's operations on a machine with a GPU.
#
# Usage: kernels/cuda/check_gpu.sh [build DIR | run DIR]
#   build DIR  builds the tests and the benchmark and copies them to DIR
#   run DIR    runs those of DIR; needs a GPU, but neither Bazel nor sources
# Without arguments, does both in a temporary folder. The exit code is 0 only if
# every test ran on a GPU and passed.
set -uo pipefail

tests=(device rows product attention experts sampling)

build() {
  cd "$(dirname "${BASH_SOURCE[0]}")/../.." || return 1
  bazel build -c opt --config=cuda //kernels/cuda/... || return 1
  mkdir -p "$1" || return 1
  local name
  for name in "${tests[@]/%/_test}" benchmark; do
    cp -f ".bazel/bin/kernels/cuda/$name" "$1/" || return 1
  done
}

run() {
  local failed=0 name
  for name in "${tests[@]}"; do
    if REQUIRE_GPU=1 "$1/${name}_test" > "$1/$name.log" 2>&1; then
      echo "passed: $name"
    else
      echo "FAILED: $name"
      grep -v '^\[ *\(RUN\|OK\)' "$1/$name.log" | tail -n 30
      failed=1
    fi
  done
  "$1/benchmark" | tee "$1/benchmark.log" || failed=1
  return $failed
}

case "${1:-}" in
  build | run)
    if [[ -z ${2:-} ]]; then
      echo "$0: $1 needs a folder" >&2
      exit 2
    fi
    mkdir -p "$2"
    "$1" "$(realpath "$2")"
    ;;
  "")
    folder=$(mktemp -d)
    build "$folder" && run "$folder"
    ;;
  *)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac

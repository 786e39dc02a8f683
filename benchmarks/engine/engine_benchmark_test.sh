#!/bin/bash
# A short run prints every format. Invalid flags are rejected by name.
#
# Usage: engine_benchmark_test.sh ENGINE_BENCHMARK MODEL
set -uo pipefail

benchmark=$PWD/$1
model=$PWD/$2 # Its context has 512 tokens.
failures=0
fail() {
  echo "$1" >&2
  ((++failures))
}
run() { "$benchmark" --model "$model" --threads 1 --repeats 1 --prompt 8 --steps 1 --streams 1 "$@" 2>&1; }
# refuses FLAG VALUE: expects exit code 1 and an error that names both.
refuses() {
  local output status
  output=$(run "$1=$2")
  status=$?
  [[ $status == 1 && $output == "engine_benchmark: $1 "*"$2"*"; it must be "* ]] ||
    fail "$1=$2 gave $status: $output"
}

output=$(run --streams 1,256) || fail "expected it to run: $output"
for format in float32 bf16 int8 int4; do
  grep -Eq "^$format( +[0-9]+\\.[0-9]){3}$" <<< "$output" || fail "no row of $format in: $output"
done
run --prompt 512 --steps 383 --weights int8 > /dev/null || fail "expected the whole context to do"
for flag in --repeats --prompt --steps --streams; do
  for value in 0 -1 2147483647; do refuses "$flag" "$value"; done
done
refuses --prompt 513
refuses --steps 384
refuses --streams 257
refuses --threads -1
refuses --threads 1000000
refuses --weights int5
output=$(run --model "") && fail "expected an error without a model"
[[ $output == *"--model is missing"* ]] || fail "without a model: $output"
exit $((failures > 0))

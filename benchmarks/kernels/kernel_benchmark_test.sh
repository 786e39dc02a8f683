#!/bin/bash
# A short run prints every format. Invalid flags are rejected by name.
#
# Usage: kernel_benchmark_test.sh KERNEL_BENCHMARK
set -uo pipefail

failures=0
fail() {
  echo "$1" >&2
  ((++failures))
}
# refuses FLAG VALUE: expects exit code 1 and an error that names both.
refuses() {
  local output status
  output=$("$benchmark" --threads 1 --repeats 1 "$1=$2" 2>&1)
  status=$?
  [[ $status == 1 && $output == "kernel_benchmark: $1 is $2; it must be from"* ]] ||
    fail "$1=$2 gave $status: $output"
}

benchmark=$PWD/$1
output=$("$benchmark" --threads 1 --repeats 1 --outputs 64 --inputs 96 --megabytes 1) ||
  fail "expected it to run"
for format in float32 bf16 int8 int4; do
  grep -Eq "^[a-z0-9_]+ +$format( +[0-9]+\\.[0-9]){4}$" <<< "$output" ||
    fail "no row of $format in: $output"
done
for flag in --outputs --inputs --megabytes --repeats; do
  for value in 0 -1 2147483647; do refuses "$flag" "$value"; done
done
for value in -1 1000000; do refuses --threads "$value"; done
exit $((failures > 0))

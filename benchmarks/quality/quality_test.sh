#!/bin/bash
# Limits determine the exit code. Unsuitable texts are rejected.
#
# Usage: quality_test.sh QUALITY MODEL
set -uo pipefail

quality=$PWD/$1
model=$PWD/$2
text=$PWD/benchmarks/quality/text.txt
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/quality.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
  echo "$1" >&2
  ((++failures))
}
run() { "$quality" --model "$model" --threads 1 --texts "$text" "$@" > "$work/output" 2> "$work/errors"; }
# fails TEXT FLAGS...: expects exit code 1 and an error with the text.
fails() {
  local expected=$1 status
  shift
  run "$@"
  status=$?
  [[ $status == 1 ]] || fail "$* gave $status"
  grep -Fq -- "$expected" "$work/errors" || fail "$*: expected \"$expected\", got: $(cat "$work/errors")"
}

run --weights int8,int4 --max_kl_int8 inf --max_kl_int4 inf || fail "expected it to run: $(cat "$work/errors")"
for format in int8 int4; do
  grep -Eq "^$format +all +[0-9]{4,} " "$work/output" || fail "no line of $format in: $(cat "$work/output")"
done
fails "--max_kl_int8 is 0" --weights int8,int4 --max_kl_int8 0 --max_kl_int4 inf
grep -q "^int4 *all" "$work/output" || fail "expected all formats although the first is beyond its limit"
fails "--max_kl_int4 is 0" --weights int4 --max_kl_int4 0
grep -q "int8" "$work/errors" && fail "expected nothing of int8"
run --weights float32 || fail "expected it to run: $(cat "$work/errors")"
grep -Eq "^float32 +all +[0-9]+ +0\.000000 +0\.000000 +100\.00%" "$work/output" ||
  fail "expected float32 to be no further away than itself: $(cat "$work/output")"
for value in -1 nan; do
  fails "--max_kl_int8 is $value; it must be" --max_kl_int8 "$value"
done

: > "$work/empty"
fails "$work/empty has no tokens" --texts "$text,$work/empty"
echo "Too short." > "$work/short"
fails "they must have at least --min_tokens, 2000" --texts "$work/short"
fails "--min_tokens, 2000" --tokens 10
fails "$work/none" --texts "$work/none"
fails "cannot open" --texts ""
printf '\xff\xfe' > "$work/binary"
fails "UTF-8" --texts "$work/binary"
for flag in tokens min_tokens window; do
  for value in 0 -1 2147483647; do fails "--$flag is $value; it must be from" "--$flag=$value"; done
done
fails "int5" --weights int8,int5
exit $((failures > 0))

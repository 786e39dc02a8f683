#!/bin/bash
# Tests that pack packs, refuses to destroy data, and replaces a directory.
#
# Usage: pack_test.sh PACK MODEL/config.json
set -uo pipefail

pack=$PWD/$1
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/pack.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
  echo "$1" >&2
  cat "$work/errors" >&2
  ((++failures))
}
packs() { "$pack" --threads 1 "$@" 2> "$work/errors"; }
# refuses TEXT FLAGS...: expects an error that contains TEXT, and the model to stay.
refuses() {
  local text=$1
  shift
  packs "$@" && fail "expected an error for: $*"
  grep -q -- "$text" "$work/errors" || fail "expected \"$text\" for: $*"
  [[ -s $model/model.safetensors ]] || fail "the model is gone after: $*"
}

for name in model out.partial out.replaced; do
  cp -rL "$(dirname "$2")" "$work/$name"
  chmod -R u+w "$work/$name"
done
model=$work/model
refuses "--model" --model "$model"
refuses "must be another directory" --model "$model" --output "$model/" --overwrite
model=$work/out.partial
refuses "must be another directory" --model "$model" --output "$work/out"
model=$work/out.replaced
refuses "must be another directory" --model "$model" --output "$work/out" --overwrite
model=$work/model
rm -r "$work/out.partial" "$work/out.replaced"
refuses "config.json" --model "$work/none" --output "$work/out"
[[ ! -e $work/out && ! -e $work/out.partial ]] || fail "something was made"

touch "$model/weights.hash"
packs --model "$model" --output "$work/out" || fail "expected it to pack"
[[ ! -e $work/out/weights.hash ]] || fail "expected no hash of the checkpoint"
[[ $(stat -c %a "$work/out/weights.packed") == 444 ]] || fail "expected mode 444"
[[ -s $work/out/config.json && -s $work/out/tokenizer.json ]] || fail "expected copies"
[[ ! -e $work/out/model.safetensors ]] || fail "expected no checkpoint"
grep -qa "+int8|int8|" "$work/out/weights.packed" || fail "expected int8"
refuses "--overwrite" --model "$model" --output "$work/out" --weights int4
packs --model "$model" --output "$work/out" --weights int4 --overwrite ||
  fail "expected it to replace"
grep -qa "+int4|int4|" "$work/out/weights.packed" || fail "expected int4"
refuses "packed already" --model "$work/out" --output "$work/again" --weights int4
[[ ! -e $work/out.replaced && ! -e $work/again ]] || fail "something was left"

# A doubt is a warning, said once, or with --strict_model an error.
sed -i '0,/{/s//{ "new_gate": 1,/' "$model/config.json"
refuses "unknown keys \"new_gate\" are ignored; --strict_model is set" \
  --model "$model" --output "$work/doubt" --strict_model
[[ ! -e $work/doubt && ! -e $work/doubt.partial ]] || fail "something was made"
packs --model "$model" --output "$work/doubt" || fail "expected it to pack"
[[ $(grep -c model_doubtful "$work/errors") == 1 ]] || fail "expected one warning"

# As transformers 5 saves: fused experts, and ends in generation_config.json, which is copied.
cp -rL "$(dirname "$2")/../resaved" "$work/resaved"
packs --model "$work/resaved" --output "$work/of_resaved" --strict_model || fail "expected it to pack"
cmp -s "$work/resaved/generation_config.json" "$work/of_resaved/generation_config.json" ||
  fail "expected the ends"
exit $((failures > 0))

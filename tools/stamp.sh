#!/bin/bash
# Prints the option of Bazel that writes the commit of the checkout into
# programs, for their --version:
#
#   bazel build -c opt "$(tools/stamp.sh)" //router
#
# One small file is compiled anew for each commit, and programs are linked anew.
# Builds without the option are not affected.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --short=12 HEAD)
[[ -z $(git status --porcelain --untracked-files=no) ]] || commit+=-changed
echo "--per_file_copt=^serving/build_stamp\\.cc\$@-DAPOLLO_COMMIT=$commit"

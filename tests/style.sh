#!/bin/bash
# Checks what needs no build: the layout of the C++ code (clang-format), the
# scripts (shellcheck, Python's compiler), the includes that a folder may have
# (tools/check_layers.py), the length of files and functions. Prints each
# finding, then "N checks passed, N failed"; exit code 0 only if none failed.
#
# Usage: tests/style.sh [--tidy [SINCE]]
#   --tidy [SINCE]  also clang-tidy, on the C++ files changed since a commit;
#                   default: those of the day before the last commit. Needs what
#                   `bazel build //...` generates, and stops after --minutes.
#   --minutes N     at most so long for clang-tidy (default 3); says how many files
#                   it did not come to
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

tidy=false
since=
minutes=3
while (($# > 0)); do
  case "$1" in
    --tidy)
      tidy=true
      if [[ ${2:-} != "" && ${2:-} != -* ]]; then
        since=$2
        shift
      fi
      ;;
    --minutes)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "$0: --minutes needs a number" >&2; exit 2; }
      minutes=$2
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "$0: unknown argument \"$1\" (see --help)" >&2; exit 2 ;;
  esac
  shift
done

passed=0
failed=0
check() { # NAME COMMAND...
  local name=$1
  shift
  if "$@"; then
    ((++passed))
  else
    echo "FAILED: $name" >&2
    ((++failed))
  fi
}

sources() { git ls-files '*.cc' '*.h' '*.cu' '*.cuh' ':!third_party/'; }

format() { sources | xargs clang-format --dry-run -Werror; }
shell() { git ls-files '*.sh' .ci/run | xargs shellcheck --exclude=SC2317; }
python() {
  local file
  while read -r file; do
    python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" ||
      return 1
  done < <(git ls-files '*.py')
}
includes() { tools/check_layers.py --includes; }
lengths() { tools/check_lengths.py; }

changed_sources() {
  local base=$since
  if [[ -z $base ]]; then
    base=$(git rev-list -1 --before="$(git log -1 --format=%ct HEAD | awk '{print $1 - 86400}')" HEAD)
  fi
  git diff --name-only --diff-filter=d "${base:-HEAD~1}" HEAD -- '*.cc' ':!third_party/'
}

clang_tidy() {
  local end=$((SECONDS + 60 * minutes)) left=0 result=0 file
  tools/compile_commands.py > /dev/null || return 1
  while read -r file; do
    if ((SECONDS >= end)); then
      ((++left))
      continue
    fi
    timeout 120 clang-tidy --quiet --warnings-as-errors='*' -p . "$file" 2> /dev/null || result=1
  done < <(changed_sources)
  if ((left > 0)); then echo "clang-tidy did not come to $left files in $minutes minutes"; fi
  return $result
}

check "clang-format" format
check "shellcheck" shell
check "Python" python
check "includes" includes
check "lengths" lengths
if $tidy; then check "clang-tidy" clang_tidy; fi
echo "$passed checks passed, $failed failed"
((failed == 0))

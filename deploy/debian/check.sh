#!/bin/bash
# Builds the Debian package and tries it in a fresh Debian 12: lintian, installation, a cluster that is
# started by the command lines of the units and answers a question, stopping, removal. Prints "N
# checks passed, N failed". The exit code is 0 only if none failed.
#
# Usage: deploy/debian/check.sh [--programs FOLDER] [--model FOLDER]
#   --programs FOLDER  takes router, dense_worker, expert_worker and apollo from FOLDER instead of
#                      building them
#   --model FOLDER     takes this model instead of the demo model
#
# Needs root, Debian's packages from the network, and 1 GB of disk. Installs missing packages
# (tools/install_packages.sh --packages). Ports 7001, 7101, 50051 and 9464 to 9466 must be free.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

build=()
model=
while (($# > 0)); do
  case "$1" in
    --programs) build=(--programs "${2:-}") && shift ;;
    --model) model=$(realpath "${2:-}") && shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "$0: unknown argument \"$1\" (see --help)" >&2; exit 2 ;;
  esac
  shift
done
((EUID == 0)) || { echo "$0: needs root" >&2; exit 2; }

work=$(mktemp -d) || exit 1
chmod 755 "$work"
system=$work/root
declare -A processes=()
finish() {
  local pid
  for pid in "${processes[@]}"; do kill "$pid"; done
  wait
  umount -q "$system/proc"
  rm -rf --one-file-system "$work"
} 2> /dev/null
trap finish EXIT

passed=0
failed=0
check() { # NAME COMMAND...; returns whether it passed
  if "${@:2}" > "$work/check.log" 2>&1; then
    echo "passed: $1"
    ((++passed))
  else
    tail -n 20 "$work/check.log" >&2
    echo "FAILED: $1" >&2
    ((++failed))
    return 1
  fi
}
summary() {
  echo "$passed checks passed, $failed failed"
  ((failed == 0))
  exit
}

inside() { chroot "$system" "$@"; }
install_packages() { "$root/tools/install_packages.sh" --packages; }
build_package() {
  package=$(DEBFULLNAME="Apollo-MoE check" DEBEMAIL=check@apollo-moe.org "$here/build.sh" "$work" "${build[@]}") &&
    [[ -f $package ]]
}
tidy() { lintian --allow-root --fail-on error,warning "$package"; }
# In a mount namespace of its own, nothing of mmdebstrap stays mounted if it is interrupted.
make_system() {
  mkdir "$system" &&
    unshare --mount mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates bookworm \
      "$work/root.tar" && tar -C "$system" -xf "$work/root.tar" && rm "$work/root.tar" &&
    cp /etc/resolv.conf "$system/etc/" && cp "$root/tools/backports.sh" "$system/tmp/" &&
    mount -t proc proc "$system/proc"
}
# shellcheck disable=SC2016 # The shell in the new system expands it.
install_package() {
  cp "$package" "$system/tmp/" && inside env DEBIAN_FRONTEND=noninteractive sh -c \
    '/tmp/backports.sh && apt-get update -q && apt-get install -qy --no-install-recommends "/tmp/$1"' sh "${package##*/}"
}
put_model() {
  cp -rL "$model" "$system/var/lib/apollo-moe/model" && chmod -R a+rX "$system/var/lib/apollo-moe/model"
}

start() { # UNIT
  python3 "$here/run_unit.py" "$system" "$1" > "$work/$1.out" 2> "$work/$1.log" &
  processes[$1]=$!
  until grep -q ready "$work/$1.out"; do
    kill -0 "${processes[$1]}" || { cat "$work/$1.out" "$work/$1.log"; return 1; }
    sleep 0.1
  done
}
stop() { # UNIT
  local code
  kill "${processes[$1]}"
  wait "${processes[$1]}"
  code=$?
  unset "processes[$1]"
  cat "$work/$1.log"
  ((code == 0))
}
healthy() { inside apollo --server 127.0.0.1:50051 health --wait 60; }
answers() { inside apollo --server 127.0.0.1:50051 ask --max_new_tokens 8 "What is asthma?" | grep -a .; }
remove() {
  inside dpkg --remove apollo-moe && [[ -e $system/etc/apollo-moe/router.conf && ! -e $system/usr/bin/apollo ]] &&
    inside dpkg --purge apollo-moe && [[ ! -e $system/etc/apollo-moe ]]
}

check "packages" install_packages || summary
if [[ -z $model ]]; then model=$("$root/deploy/local/demo_model.sh" | tail -n 1); fi
check "package" build_package || summary
check "lintian" tidy
check "fresh system" make_system || summary
check "installation" install_package || summary
check "model" put_model || summary
units=(apollo-expert-worker@0.service apollo-dense-worker@0.service apollo-router.service)
for unit in "${units[@]}"; do check "$unit starts" start "$unit" || summary; done
check "health" healthy && check "answer" answers
for unit in "${units[2]}" "${units[1]}" "${units[0]}"; do check "$unit stops" stop "$unit"; done
check "removal" remove
summary

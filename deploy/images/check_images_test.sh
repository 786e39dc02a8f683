#!/bin/bash
# Tests that the checks of check_images.sh find the faults of images. A function stands in for podman.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=/repository
model=/demo
# shellcheck source=deploy/images/check_images.sh
source "$(dirname "${BASH_SOURCE[0]}")/check_images.sh"

podman_prints=
podman_returns=0
podman() {
  printf '%s\n' "$*" >> "$work/calls.txt"
  printf '%s' "$podman_prints"
  return "$podman_returns"
}
called() { grep -qF -e "$1" "$work/calls.txt"; }

wrong=0
expect() { # passes|fails NAME CHECK...
  local result=passes
  "${@:3}" > /dev/null 2>&1 || result=fails
  if [[ $result != "$1" ]]; then
    echo "FAILED: $2: the check $result" >&2
    wrong=1
  fi
  rm -f "$work/calls.txt"
}

podman_prints=$'\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibgrpc.so.29 => /lib/libgrpc.so.29 (0x2)'
expect passes "all libraries are there" check_libraries router
podman_prints=$'\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibgrpc.so.29 => not found'
expect fails "a library is missing" check_libraries router
podman_prints=$'\tlibc.so.6 => /lib/libc.so.6 (0x1)'
podman_returns=1
expect fails "ldd fails" check_libraries router
expect fails "the user or the file system is wrong" check_user router
podman_returns=0
expect passes "the user and the file system are right" check_user router

podman_prints=$'usage\n    --dense_workers (Addresses'
podman_returns=1
expect passes "the help has the flag" check_help router router --dense_workers
podman_returns=0
podman_prints="error while loading shared libraries"
expect fails "the program does not start" check_help router router --dense_workers

podman_prints=
expect passes "NCCL is found" check_nccl
podman_prints="ERROR: ld.so: object 'libnccl.so.2' from LD_PRELOAD cannot be preloaded"
expect fails "NCCL is missing" check_nccl
podman_prints=
podman_returns=1
expect fails "the container does not start" check_nccl
podman_returns=0

# The settings of an image, which one wrong setting must spoil.
declare -A settings
right_settings() {
  settings=(
    ['{{.Config.User}}']=10001:10001
    ['{{json .HealthCheck}}']='{"Test":["CMD","apollo","health"]}'
    ['{{index .Labels "org.opencontainers.image.title"}}']="Apollo-MoE router"
    ['{{index .Labels "org.opencontainers.image.description"}}']="Serves."
    ['{{index .Labels "org.opencontainers.image.licenses"}}']=Apache-2.0
  )
}
setting() { printf '%s\n' "${settings[$2]}"; }
right_settings
expect passes "all settings are right" check_settings router
for format in "${!settings[@]}"; do
  right_settings
  settings[$format]=
  expect fails "$format is empty" check_settings router
done
right_settings
settings['{{.Config.User}}']=root
expect fails "the user is root" check_settings router

# Every container of the cluster is confined, and joins the network of the first.
start_cluster > /dev/null
count=$(grep -cF -- '--read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges' "$work/calls.txt")
((count == 4)) || { echo "FAILED: $count of 4 containers are confined" >&2; wrong=1; }
expect passes "the containers share a network" called "--network container:$CLUSTER-expert-worker-0"
podman_prints=1
expect fails "a program stops with an error" check_stop router
podman_prints=0
expect passes "a program stops without an error" check_stop router

# Counts of results.
podman_prints=
check "right" true > /dev/null
check "wrong" false 2> /dev/null
((passed == 1 && failed == 1)) || { echo "FAILED: $passed passed, $failed failed" >&2; wrong=1; }
exit $wrong

#!/bin/bash
# Makes a base image like Docker Hub's debian:12-slim from Debian's packages, for machines that do
# not reach that registry. Needs root, and the packages of tools/install_packages.sh --images.
#
# Usage: deploy/images/base.sh NAME
set -euo pipefail
(($# == 1)) || { echo "usage: $0 NAME" >&2; exit 2; }
# usr-is-merged takes the place of usrmerge, which needs Perl.
options=(--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged)
for folder in doc info lintian locale man; do
  options+=("--dpkgopt=path-exclude=/usr/share/$folder/*")
done
options+=("--dpkgopt=path-include=/usr/share/doc/*/copyright")

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
# mmdebstrap mounts this machine's /dev/shm. In a mount namespace of its own, nothing stays mounted
# in a folder that an interrupted run leaves behind. The archive is a file, not a pipe, because
# podman would also make an image of half an archive.
unshare --mount mmdebstrap --quiet --mode=root --variant=minbase "${options[@]}" bookworm \
  "$work/base.tar" > "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
podman import --quiet --change 'CMD ["bash"]' "$work/base.tar" "$1" > /dev/null

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

# A file, not a pipe: of an interrupted archive, podman would make an image, too.
archive=$(mktemp --suffix=.tar)
trap 'rm -f "$archive"' EXIT
# mmdebstrap mounts this machine's /dev/shm. In a mount namespace of its own, nothing stays mounted
# in a folder that an interrupted run leaves behind.
unshare --mount mmdebstrap --quiet --mode=root --variant=minbase "${options[@]}" bookworm "$archive"
podman import --quiet --change 'CMD ["bash"]' "$archive" "$1" > /dev/null

#!/bin/bash
# Builds the images with podman and tries them: their settings, the libraries of their programs, and
# a cluster of them that answers a question, with read-only file systems. Prints sizes and times,
# then "N checks passed, N failed". The exit code is 0 only if none failed.
#
# Usage: deploy/images/check.sh [--full] [--programs FOLDER]
#   (no option)        programs are built here, and copied into the images
#   --programs FOLDER  takes router, dense_worker, expert_worker and apollo from FOLDER instead
#   --full             programs are built in the images, also those for GPUs
#
# Without --full, cuda-worker gets the programs for processors. No GPU is used in any case.
#
# Needs root, the network, and 4 GB of disk (15 GB with --full). Installs missing packages
# (tools/install_packages.sh --images). The images stay: localhost/apollo/NAME. If the base image
# localhost/apollo/debian:12-slim does not exist, it is made from Debian's packages (base.sh).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

readonly BASE=localhost/apollo/debian:12-slim
full=false
programs=
while (($# > 0)); do
  case "$1" in
    --full) full=true ;;
    --programs)
      [[ -x ${2:-}/router ]] || { echo "$0: --programs needs a folder with the programs" >&2; exit 2; }
      programs=$(realpath "$2")
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "$0: unknown argument \"$1\" (see --help)" >&2; exit 2 ;;
  esac
  shift
done
((EUID == 0)) || { echo "$0: needs root" >&2; exit 2; }

say() { printf '\n=== [%d s] %s\n' "$SECONDS" "$*"; }
die() {
  echo "$0: $1" >&2
  echo "0 checks passed, 1 failed"
  exit 1
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Writes the settings of podman and pip for this machine.
prepare_podman() {
  local files
  files=$(ulimit -Hn)
  # Podman's default limits may be higher than a machine allows.
  cat > "$work/containers.conf" << END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
  export CONTAINERS_CONF=$work/containers.conf
  # Some networks have their own certificates for PyPI.
  printf '[global]\ncert = /run/certificates.crt\n' > "$work/pip.conf"
}

build() { # TARGET OPTION...
  local target=$1 begin=$SECONDS
  shift
  # --format docker: OCI's own has no health checks.
  podman build --quiet --format docker --pull=never --network host --isolation chroot \
    --build-arg DEBIAN="$BASE" --file "$here/Dockerfile" --target "$target" \
    --tag "localhost/apollo/$target" "$@" "$root" > "$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log" >&2; die "the image $target cannot be built"; }
  printf '%-12s %5d s  %s\n' "$target" $((SECONDS - begin)) \
    "$(podman image inspect --format '{{.Size}}' "localhost/apollo/$target" | numfmt --to=si --suffix=B)"
}

say "packages and demo model"
"$root/tools/install_packages.sh" --images || die "could not install the packages"
model=$("$root/deploy/local/demo_model.sh" | tail -n 1)
[[ -f $model/config.json ]] || die "deploy/local/demo_model.sh made no model"
prepare_podman

say "base image"
podman image exists "$BASE" || "$here/base.sh" "$BASE" || die "could not make the base image"

# Folders in place of the stages that build programs.
cpu_stage=()
cuda_stage=()
if ! $full; then
  say "programs"
  mkdir -p "$work/stage"
  if [[ -n $programs ]]; then
    cp -r "$programs" "$work/stage/out"
  else
    "$here/build_programs.sh" "$work/stage/out" //router //dense_worker //expert_worker //tools/apollo ||
      die "could not build the programs"
  fi
  cpu_stage=(--build-context "build=$work/stage")
  cuda_stage=(--build-context "cuda-build=$work/stage")
fi

say "images"
build build-packages
build cuda --volume "$work/pip.conf:/etc/pip.conf:ro" \
  --volume /etc/ssl/certs/ca-certificates.crt:/run/certificates.crt:ro
build router "${cpu_stage[@]}"
build cpu-worker "${cpu_stage[@]}"
build cuda-worker "${cuda_stage[@]}"

say "checks"
# shellcheck source=deploy/images/check_images.sh
source "$here/check_images.sh"
trap 'stop_cluster; rm -rf "$work"' EXIT
check_images
check_cluster
echo "$passed checks passed, $failed failed"
((failed == 0))

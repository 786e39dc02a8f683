#!/bin/bash
# Installs the Debian packages that this project needs. Does nothing if all are
# installed. Run it as root, or as a user who may use sudo.
#
# Usage: tools/install_packages.sh [--dev] [--images] [--plots] [--language] [--list]
#   --dev       also packages for --config=clang, --config=fuzz, clang-tidy,
#               clang-format, tests/style.sh and deploy/images/libraries_test.py,
#               and the tools of tools/style_tools.txt, which are on PyPI, into
#               ${XDG_CACHE_HOME:-~/.cache}/apollo-moe/style-tools
#   --images    also packages for deploy/images
#   --plots     also packages for tools/routing_map
#   --language  also packages for tools/language
#   --list      only print the names of the Debian packages
set -euo pipefail

packages=(
  # Debian's Bazel, and the rule sets that it requires.
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  g++
  # Libraries: third_party/system/BUILD.bazel names them one by one.
  libabsl-dev
  libcld2-dev
  libcli11-dev
  libedit-dev
  libfasttext-dev
  libgmock-dev
  libgrpc++-dev
  libgtest-dev
  libhwy-dev
  libicu-dev
  libpcre2-dev
  libprotobuf-dev
  libspdlog-dev
  nlohmann-json3-dev
  prometheus-cpp-dev
  protobuf-compiler
  protobuf-compiler-grpc
  # The scripts: deploy/local/ and tests/.
  ca-certificates
  curl
  procps
  python3
  python3-pip
  unzip
)
dev_packages=(
  clang
  clang-format
  clang-tidy
  dpkg-dev
  libclang-rt-14-dev
  shellcheck
)
image_packages=(
  mmdebstrap
  podman
  runc
)
plot_packages=(
  python3-matplotlib
)
language_packages=(
  fasttext
)

list=false
style_tools=false
for argument in "$@"; do
  case "$argument" in
    --dev) packages+=("${dev_packages[@]}") && style_tools=true ;;
    --images) packages+=("${image_packages[@]}") ;;
    --plots) packages+=("${plot_packages[@]}") ;;
    --language) packages+=("${language_packages[@]}") ;;
    --list) list=true ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "$0: unknown argument \"$argument\" (see --help)" >&2; exit 2 ;;
  esac
done
if $list; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi

if ! command -v dpkg-query > /dev/null; then
  echo "$0: this is not a Debian system; install the packages of --list by hand" >&2
  exit 1
fi

install_debian_packages() {
  # dpkg-query prints one line for each package that dpkg knows, and fails if one
  # is unknown; the line of an unknown package is missing.
  local installed package missing=()
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" \
    2> /dev/null || true)
  for package in "${packages[@]}"; do
    grep -qxF "$package installed" <<< "$installed" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    return
  fi

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo > /dev/null; then
      echo "$0: not root and no sudo; as root, run:" >&2
      echo "  apt-get install -y --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi

  echo "installing ${#missing[@]} packages: ${missing[*]}"
  local apt_get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q
    -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
  if ! { "${apt_get[@]}" update &&
    "${apt_get[@]}" install -y --no-install-recommends "${missing[@]}"; } > "$log" 2>&1; then
    fail "apt-get failed"
  fi
}

install_style_tools() {
  local list folder
  list=$(dirname "${BASH_SOURCE[0]}")/style_tools.txt
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/style-tools
  if cmp -s "$list" "$folder/installed.txt"; then
    return
  fi
  echo "installing the tools of $list"
  rm -rf "$folder"
  python3 -m pip install --quiet --no-deps --require-hashes --target "$folder" --requirement "$list" \
    > "$log" 2>&1 || fail "pip failed"
  cp "$list" "$folder/installed.txt"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() { # WHAT
  tail -n 30 "$log" >&2
  echo "$0: $1; its last lines are above" >&2
  exit 1
}

install_debian_packages
if $style_tools; then install_style_tools; fi

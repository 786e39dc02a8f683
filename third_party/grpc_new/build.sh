#!/bin/bash
# Builds a newer gRPC than Debian's, and all that must match it (Abseil, Protobuf, the SDK of
# OpenTelemetry), for `bazel build --config=grpc_new`. The sources and their sums are in sources.txt.
# c-ares, OpenSSL, RE2 and zlib stay Debian's. Does nothing if it is built already.
#
# Usage: third_party/grpc_new/build.sh [--prefix FOLDER] [--downloads FOLDER] [--sources FILE] [--jobs N]
#   --prefix FOLDER     where to install, instead of ${XDG_CACHE_HOME:-~/.cache}/apollo-moe/grpc-VERSION
#   --downloads FOLDER  where to look for the archives NAME-VERSION.tar.gz first, for a machine without
#                       internet; a file with another sum is refused
#   --sources FILE      other versions than sources.txt
#   --jobs N            compilers at a time; default: one per processor, each needs 1 GB of memory
#
# Needs the packages of `tools/install_packages.sh --grpc_new`. Takes an hour or more on 2 processors.
# If it is stopped, the next run goes on where it was.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$here/sources.txt
prefix=
downloads=
jobs=$(nproc)
usage() {
  grep '^#   --' "$0" | sed 's/^#//' >&2
  exit 2
}
while (($# > 0)); do
  (($# > 1)) || usage
  case $1 in
    --prefix) prefix=$2 ;;
    --downloads) downloads=$(realpath "$2") ;;
    --sources) sources=$(realpath "$2") ;;
    --jobs) jobs=$2 ;;
    *) usage ;;
  esac
  shift 2
done

field() { # NAME COLUMN
  awk -v name="$1" -v column="$2" '$1 == name { print $column }' "$sources"
}
: "${prefix:=${XDG_CACHE_HOME:-$HOME/.cache}/apollo-moe/grpc-$(field grpc 2)}"
prefix=$(realpath -m "$prefix")
# Archives, sources and objects, until all is built.
work=$prefix.work

say() { echo "grpc_new: $*"; }
fail() { # WHY
  echo "$0: $1" >&2
  exit 1
}

# Gets an archive, checks its sum and unpacks it to $work/NAME.
unpack() { # NAME
  local name=$1 sum archive
  sum=$(field "$name" 3)
  archive=$work/$name-$(field "$name" 2).tar.gz
  if [[ -f $downloads/${archive##*/} ]]; then
    cp "$downloads/${archive##*/}" "$archive"
  elif [[ ! -f $archive ]]; then
    say "downloading $(field "$name" 4)"
    curl --fail --silent --show-error --location --retry 3 --output "$archive.part" "$(field "$name" 4)" ||
      fail "no $name; bring ${archive##*/} from a machine with internet, and give its folder with --downloads"
    mv "$archive.part" "$archive"
  fi
  if ! sha256sum --status --check <<< "$sum  $archive"; then
    rm "$archive"
    fail "${archive##*/} does not have the sum $sum"
  fi
  rm -rf "${work:?}/$name"
  mkdir "$work/$name"
  tar -xzf "$archive" -C "$work/$name" --strip-components=1
}

# Configures, builds and installs one library, each step once. Static, because nothing of it is to be
# shipped beside our programs; C++20 as in .bazelrc, which decides about types of Abseil.
build() { # NAME [CMAKE OPTION...]
  local name=$1
  shift
  [[ ! -f $prefix/installed/$name ]] || return 0
  if [[ ! -f $work/$name.configured ]]; then
    unpack "$name"
    say "configuring $name"
    cmake -S "$work/$name" -B "$work/$name.build" -G Ninja \
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
      -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
      -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_STANDARD=20 -DCMAKE_CXX_STANDARD_REQUIRED=ON \
      "$@" > "$work/$name.log" 2>&1 || fail "could not configure $name: see $work/$name.log"
    touch "$work/$name.configured"
  fi
  say "building $name"
  cmake --build "$work/$name.build" --parallel "$jobs" >> "$work/$name.log" 2>&1 ||
    fail "could not build $name: see $work/$name.log"
  cmake --install "$work/$name.build" >> "$work/$name.log" 2>&1 ||
    fail "could not install $name: see $work/$name.log"
  mkdir -p "$prefix/installed"
  touch "$prefix/installed/$name"
}

build_all() {
  build abseil -DABSL_ENABLE_INSTALL=ON -DABSL_PROPAGATE_CXX_STD=ON
  build protobuf -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_BUILD_LIBPROTOC=ON -Dprotobuf_BUILD_LIBUPB=OFF \
    -Dprotobuf_WITH_ZLIB=OFF -Dprotobuf_LOCAL_DEPENDENCIES_ONLY=ON
  local plugins=() language
  for language in CSHARP NODE OBJECTIVE_C PHP PYTHON RUBY; do
    plugins+=("-DgRPC_BUILD_GRPC_${language}_PLUGIN=OFF")
  done
  local packages=() package
  for package in ABSL CARES PROTOBUF RE2 SSL ZLIB; do
    packages+=("-DgRPC_${package}_PROVIDER=package")
  done
  build grpc "${packages[@]}" "${plugins[@]}" -DgRPC_BUILD_TESTS=OFF -DgRPC_DOWNLOAD_ARCHIVES=OFF \
    -DgRPC_BUILD_GRPCPP_OTEL_PLUGIN=OFF -DgRPC_USE_SYSTEMD=OFF -DgRPC_INSTALL=ON
  [[ -d $work/opentelemetry_proto ]] || unpack opentelemetry_proto
  # Types of the standard library in its interface, because its own copies of Abseil's would collide
  # with Abseil. third_party/system says the same to our compilations.
  build opentelemetry -DOTELCPP_PROTO_PATH="$work/opentelemetry_proto" -DWITH_OTLP_GRPC=ON -DWITH_STL=CXX17 \
    -DCMAKE_FIND_PACKAGE_PREFER_CONFIG=ON -DWITH_BENCHMARK=OFF -DWITH_EXAMPLES=OFF -DWITH_FUNC_TESTS=OFF
}

# Puts what our programs need into one archive. The rest contains the same functions again (the
# "unsecure" and "lite" variants), or is of the code generators.
merge() {
  local lib script=$work/merge.mri
  {
    echo "create $prefix/lib/libapollo_grpc.a"
    for lib in "$prefix"/lib/*.a; do
      case ${lib##*/} in
        libgrpc++_reflection.a | libgrpc*unsecure.a | libgrpc++_alts.a | libgrpc++_error_details.a) ;;
        libgrpcpp_channelz.a | libgrpc_authorization_provider.a | libgrpc_plugin_support.a) ;;
        libprotobuf-lite.a | libprotoc.a | libutf8_range.a | libapollo_grpc.a) ;;
        *) echo "addlib $lib" ;;
      esac
    done
    echo save
    echo end
  } > "$script"
  rm -f "$prefix/lib/libapollo_grpc.a"
  ar -M < "$script" || fail "could not write $prefix/lib/libapollo_grpc.a"
}

if cmp -s "$sources" "$prefix/built_from.txt"; then
  say "$prefix is there already"
  exit 0
fi
if ! cmp -s "$sources" "$work/building_from.txt"; then
  # Objects and headers of other versions must not stay, but nothing else is removed.
  if [[ -f $prefix/built_from.txt || -f $work/building_from.txt ]]; then
    rm -rf "$work" "$prefix"
  elif [[ -n $(ls -A "$prefix" 2> /dev/null) ]]; then
    fail "$prefix is not empty: give a folder of its own"
  fi
  mkdir -p "$work"
  cp "$sources" "$work/building_from.txt"
fi
build_all
merge
cp "$sources" "$prefix/built_from.txt"
rm -rf "$work"
say "built in $prefix"

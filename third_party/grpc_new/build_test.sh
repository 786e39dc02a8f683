#!/bin/bash
# Tests the order, the checks of archives and the going on of build.sh, with a stand-in for cmake.
set -uo pipefail
build=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong=0
expect() { # passes|fails NAME COMMAND...
  local result=passes
  "${@:3}" > "$work/output.txt" 2>&1 || result=fails
  if [[ $result != "$1" ]]; then
    echo "FAILED: $2: it $result" >&2
    cat "$work/output.txt" >&2
    wrong=1
  fi
}

# Installs one library of each name, and fails while a file "broken" names it.
mkdir "$work/bin" "$work/downloads"
cat > "$work/bin/cmake" << 'END'
#!/bin/bash
set -euo pipefail
name=$(basename "${2%.build}")
echo "$1 $name" >> "$CALLS"
if [[ $1 == -S ]]; then
  [[ -f $2/README ]]
  for option in "$@"; do
    if [[ $option == -DCMAKE_INSTALL_PREFIX=* ]]; then
      mkdir -p "$4" && echo "${option#*=}" > "$4/prefix.txt"
    fi
  done
elif [[ $1 == --build ]]; then
  ! grep -qxF "$name" "$BROKEN"
else
  prefix=$(< "$2/prefix.txt")
  mkdir -p "$prefix/lib"
  echo "$name" > "$2/$name.o"
  ar qc "$prefix/lib/lib$name.a" "$2/$name.o"
  echo "$name" > "$2/unsecure.o"
  ar qc "$prefix/lib/libgrpc_unsecure.a" "$2/unsecure.o"
fi
END
chmod +x "$work/bin/cmake"
export PATH=$work/bin:$PATH CALLS=$work/calls.txt BROKEN=$work/broken.txt
touch "$CALLS" "$BROKEN"

libraries=(abseil protobuf grpc opentelemetry_proto opentelemetry)
for name in "${libraries[@]}"; do
  mkdir "$work/$name-1"
  echo "$name" > "$work/$name-1/README"
  tar -czf "$work/downloads/$name-1.tar.gz" -C "$work" "$name-1"
  echo "$name 1 $(sha256sum "$work/downloads/$name-1.tar.gz" | cut -d ' ' -f 1) file:///nowhere/$name" >> "$work/sources.txt"
done
# shellcheck disable=SC2317 # Called by expect.
run() {
  "$build" --prefix "$work/prefix" --downloads "$work/downloads" --sources "$work/sources.txt" --jobs 1
}
calls() { grep -cxF -e "$1" "$CALLS"; }

# An archive that is not the one of the list.
cp "$work/downloads/protobuf-1.tar.gz" "$work/right.tar.gz"
echo more >> "$work/downloads/protobuf-1.tar.gz"
expect fails "an archive has another sum" run
said=$(< "$work/output.txt")
expect passes "the sum is named" grep -qF "does not have the sum" <<< "$said"
expect passes "the library before it is installed" test -f "$work/prefix/lib/libabseil.a"
expect fails "nothing counts as built" test -f "$work/prefix/built_from.txt"
cp "$work/right.tar.gz" "$work/downloads/protobuf-1.tar.gz"

# A build that stops goes on where it was.
echo grpc > "$BROKEN"
expect fails "a library does not compile" run
: > "$BROKEN"
expect passes "the rest is built" run
expect passes "abseil was built once" test "$(calls "--build abseil")" = 1
expect passes "grpc was configured once" test "$(calls "-S grpc")" = 1
expect passes "grpc was built again" test "$(calls "--build grpc")" = 2
expect passes "it counts as built" cmp "$work/sources.txt" "$work/prefix/built_from.txt"
expect fails "the objects are gone" test -d "$work/prefix.work"
expect passes "one archive has all but doubles" \
  test "$(ar t "$work/prefix/lib/libapollo_grpc.a" | sort | xargs)" = "abseil.o grpc.o opentelemetry.o protobuf.o"

# Built already; other versions; a folder that is somebody's.
: > "$CALLS"
expect passes "nothing is left to do" run
expect fails "nothing was built again" test -s "$CALLS"
echo "# Another version." >> "$work/sources.txt"
expect passes "another version is built" run
expect passes "all of it" test "$(calls "--build abseil")" = 1
rm "$work/prefix/built_from.txt"
expect fails "a folder with other files is refused" run
expect passes "and left alone" test -f "$work/prefix/lib/libabseil.a"
exit $wrong

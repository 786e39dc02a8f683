#!/bin/bash
# decode_vs_transformers.py leaves no process behind when it fails, here because
# the client fails while the first server runs. It passes its numbers of threads
# and tokens on to the peer.
#
# Usage: cleanup_test.sh SCRIPT
set -uo pipefail

script=$PWD/$1
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/decode.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/bin/{deploy/local,tools/apollo}

cat > "$work/bin/deploy/local/apollo_local" << SERVER
#!/bin/bash
echo \$\$ >> "$work/pids"
while [[ \$1 != --address_file=* ]]; do shift; done
file=\${1#*=}
echo "grpc 127.0.0.1:1" > "\$file.new"
mv "\$file.new" "\$file"
exec sleep 1000
SERVER
printf '#!/bin/bash\nexit 7\n' > "$work/bin/tools/apollo/apollo"
chmod +x "$work"/bin/*/*/*

python3 "$script" --model "$work" --binaries "$work/bin" --rounds 1 2> "$work/errors"
code=$?
failures=0
fail() {
  echo "$1" >&2
  cat "$work/errors" >&2
  ((++failures))
}
((code != 0)) || fail "expected the script to fail"
grep -q "apollo health failed (7)" "$work/errors" || fail "expected the client's failure to be named"
[[ -s $work/pids ]] || fail "expected a server to have been started"
while read -r pid; do
  kill -0 "$pid" 2> /dev/null || continue
  fail "process $pid is still there"
  kill "$pid"
done < "$work/pids"

# Now the client succeeds, and the peer records its arguments.
printf '#!/bin/bash\nexit 0\n' > "$work/bin/tools/apollo/apollo"
printf '{"num_experts": 1}\n' > "$work/config.json"
for role in router/router dense_worker/dense_worker expert_worker/expert_worker; do
  mkdir -p "$work/bin/${role%/*}"
  cp "$work/bin/deploy/local/apollo_local" "$work/bin/$role"
done
printf '#!/bin/bash\necho "$*" > "%s"\n' "$work/arguments" > "$work/peer"
chmod +x "$work/peer"
python3 "$script" --model "$work" --binaries "$work/bin" --python "$work/peer" --threads 1 \
  --tokens 23 2> "$work/errors" && fail "expected the script to fail, as its peer ended"
grep -q -- "--threads=1 --decode=23" "$work/arguments" ||
  fail "expected the peer to be told --threads and --tokens: $(cat "$work/arguments")"
exit $((failures > 0))

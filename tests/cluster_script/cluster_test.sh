#!/bin/bash
# Tests deploy/local/cluster.sh with stand-ins for the programs.
#
# Usage: cluster_test.sh CLUSTER_SH FAKE_PROCESS STABLE_PORTS
set -uo pipefail

cluster=$PWD/$1
fake=$PWD/$2
stable_ports=$PWD/$3
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/cluster.XXXXXX")
state=$work/state
trap 'run down > /dev/null 2>&1; rm -rf "$work"' EXIT

for program in router/router dense_worker/dense_worker expert_worker/expert_worker tools/apollo/apollo; do
  mkdir -p "$(dirname "$work/bin/$program")"
  cp -L "$fake" "$work/bin/$program"
done
mkdir "$work/model"
echo '{"num_experts": 7}' > "$work/model/config.json"

failures=0
# Runs cluster.sh and stores the results in $code and $output.
run() {
  output=$("$cluster" "$@" --state "$state" --bin "$work/bin" 2>&1)
  code=$?
}
fail() {
  echo "line ${BASH_LINENO[0]}: $1" >&2
  echo "  exit code $code, output: $output" >&2
  ((++failures))
}
# A zombie (Z) counts as ended.
alive() { # PID
  [[ -e /proc/$1 ]] && ! grep -q '^State:.[ZX]' "/proc/$1/status" 2> /dev/null
}
expect_code() { [[ $code == "$1" ]] || fail "expected exit code $1"; }
expect_not() { grep -qF -- "$1" <<< "$output" && fail "expected no \"$1\""; }
expect() { grep -qF -- "$1" <<< "$output" || fail "expected \"$1\""; }
expect_alive() { # NUMBER
  local count=0 file pid
  for file in "$state"/*.pid; do
    read -r pid _ < "$file"
    alive "$pid" && ((++count))
  done
  [[ $count == "$1" ]] || fail "expected $1 processes, not $count"
}
expect_only_logs() { # In $state.
  local left
  left=$(find "$state" -mindepth 1 ! -name '*.log' ! -name '*.log.[1-3]' ! -name ports)
  [[ -z $left ]] || fail "expected only logs and ports, not $left"
}
pid_of() { cut -d ' ' -f 1 "$state/$1.pid"; }
port_of() { sed -n 's/^grpc .*://p' "$state/$1.address"; } # NAME
# Waits until a command succeeds, for at most a minute.
eventually() {
  local end=$((SECONDS + 60))
  until "$@"; do
    ((SECONDS < end)) || { fail "expected eventually: $*"; return; }
    sleep 0.02
  done
}
kill_and_await() { # NAME
  local pid
  pid=$(pid_of "$1")
  kill -KILL "$pid"
  eventually dead "$pid"
}
dead() { ! alive "$1"; }

# Starts a cluster in the background, as process $starting.
begin() {
  : > "$work/begun"
  "$cluster" up --model "$work/model" --port 0 --state "$state" --bin "$work/bin" "$@" \
    > "$work/begun" 2>&1 &
  starting=$!
}
# Waits until a command succeeds, or the start has ended.
await() { until "$@" || ! kill -0 "$starting" 2> /dev/null; do sleep 0.01; done; }
# Waits for the end of the start, like run.
finish() {
  wait "$starting"; code=$?
  output=$(< "$work/begun")
} 2> /dev/null
router_waits() { [[ -s $state/router.pid && -e $state/dense-worker-0.address ]]; }
# No process has files in $state. Brackets, so that grep does not find itself.
expect_none_left() {
  local pid
  while read -r pid; do
    kill -KILL "$pid"
    fail "expected no process $pid"
  done < <(grep -lsE "address[_]file=$state/" /proc/[0-9]*/cmdline | cut -d / -f 3)
}

# Usage errors.
run up; expect_code 2; expect "up needs --model"
run sideways; expect_code 2; expect "sideways"; expect_not attached
output=$("$cluster" status --state "" 2>&1); code=$?; expect_code 2; expect "it must be a directory"
output=$("$cluster" --state "$state" --bin="$work/bin" status 2>&1); code=$?
expect_code 1; expect "not running"
output=$("$cluster" --state "$state" 2>&1); code=$?; expect_code 2; expect "required: up|status|restart|rolling-restart|add|remove|supervise|down"
run up --port 65536; expect_code 2; expect "from 0 to 65535"
run up --model "$work"; expect_code 1; expect "no config.json"
run up --model "$work/model" --expert-workers 8; expect_code 2; expect "the model has 7 experts"
mkdir "$work/dense"; echo '{}' > "$work/dense/config.json"
run up --model "$work/dense"; expect_code 1; expect "no num_experts"; expect "not a model"
echo '{"num_experts": ' > "$work/dense/config.json"
run up --model "$work/dense"; expect_code 1; expect "$work/dense/config.json"

# Nothing is running.
run status; expect_code 1; expect "not running"
run down; expect_code 0; expect "not running"

# A folder that is no state, or cannot be one.
mine=$state
state=$work/project
mkdir "$state"
for file in settings local.log health.log router.log router-foo.log my_workers.list; do
  echo "my file" > "$state/$file"
done
run down; expect_code 0; expect "not running"
run up; expect_code 2
run up --model "$work/model" --port 0; expect_code 1; expect "$state/settings"; expect "another --state"
[[ $(grep -l "my file" "$state"/* | wc -l) == 6 ]] || fail "expected all files"
for state in "$work/model/config.json" /proc/none; do
  run down; expect_not Traceback
  run status; expect_code 1; expect_not Traceback
  run up --model "$work/model" --port 0; expect_code 1; expect "cluster.sh: $state: "
done
state=$mine

# Up, twice, and down, with ports that nobody takes while a process is replaced.
mkdir -p "$state"
"$stable_ports" router expert-worker-{0,1,2} dense-worker-{0,1} > "$state/ports"
run up --model "$work/model" --port 0 --expert-workers 3 --dense-workers 2 --threads 1 \
  --weights int8 --device cuda:1
expect_code 0; expect "all 6 processes are healthy"; expect "router 127.0.0.1:"
expect "expert-worker-0 with experts 0,3,6"; expect "expert-worker-2 with experts 2,5"
expect_alive 6
[[ $(wc -l < "$state/expert_workers.list") == 3 ]] || fail "expected 3 expert workers listed"
[[ $(wc -l < "$state/dense_workers.list") == 2 ]] || fail "expected 2 dense workers listed"
grep -q -- "--weights=int8" "$state/expert-worker-2.log" || fail "expected --weights to be passed on"
grep -q -- "--device=cuda:1" "$state/dense-worker-0.log" || fail "expected --device to be passed on"
grep -q -- "--threads=1" "$state/dense-worker-1.log" || fail "expected --threads to be passed on"
read -r first _ < "$state/router.pid"
run status; expect_code 0; expect "dense-worker-1"; expect SERVING
output=$("$cluster" status --state "$state" 2>&1); code=$?  # With the programs that `up` was given.
expect_code 0; expect SERVING
run up --model "$work/model"; expect_code 0; expect "already up"
read -r second _ < "$state/router.pid"
[[ $first == "$second" ]] || fail "expected the same router"

# Up again with options: the current ones are accepted, others are rejected.
router_port=$(awk '$1 == "grpc" { sub(".*:", "", $2); print $2 }' "$state/router.address")
ln -s model "$work/same_model"
run up --model "$work/same_model" --port 0 --expert-workers 3 --dense-workers 02 --threads 1
expect_code 0; expect "already up"
run up --port "$router_port" --timeout 7; expect_code 0; expect "already up"
cp -r "$work/model" "$work/other_model"
run up --model "$work/other_model"; expect_code 1
expect "but with --model $work/model instead of $work/other_model: run \"down\" first"
run up --dense-workers 1; expect_code 1; expect "--dense-workers 2 instead of 1"
run up --threads 2 --expert-workers 2; expect_code 1
expect "--expert-workers 3 instead of 2, --threads 1 instead of 2"
run up --port 1; expect_code 1; expect "--port $router_port instead of 1"
expect_alive 6

# Another cluster uses the port.
mine=$state
state=$work/second_state
run up --model "$work/model" --port "$router_port"
expect_code 1; expect "router has ended during the start"; expect "Address already in use"
[[ -z $(find "$state" -name '*.pid' -o -name settings) ]] || fail "expected no processes"
state=$mine
expect_alive 6

# A process dies, and is replaced while the others run.
ports=$(cat "$state/ports")
kill_and_await expert-worker-1
run status; expect_code 1; expect dead
run up --model "$work/model"; expect_code 1; expect "only 5 of 6 processes"
expect 'run "restart expert-worker-1", or "down" first'
run restart expert-worker-7; expect_code 2; expect '"expert-worker-7" is no process of this cluster; it has expert-worker-0, '
run restart dense-worker-0; expect_code 1; expect "still dead: expert-worker-1"
run restart expert-worker-1; expect_code 0; expect "all 6 processes are healthy"
[[ $(cat "$state/ports") == "$ports" ]] || fail "expected the same ports"
grep -q -- "--experts=1,4 .*--weights=int8" "$state/expert-worker-1.log" || fail "expected the same experts and options"
[[ $(grep -c -- --name "$state/expert-worker-1.log") == 2 ]] || fail "expected both starts in one log"
[[ $(pid_of router) == "$first" ]] || fail "expected the same router"
expect_alive 6
run status; expect_code 0
grep -qE '^expert-worker-1 .* 1 +[?] +SERVING' <<< "$output" || fail "expected 1 restart, after an unknown exit"
grep -qE '^expert-worker-0 .*[0-9]s +0 +- +SERVING' <<< "$output" || fail "expected an uptime and no restart"
run restart router dense-worker-1; expect_code 0
[[ $(cat "$state/ports") == "$ports" ]] || fail "expected the same ports"
run down; expect_code 0; expect "stopped; logs: $state/*.log"
expect_only_logs
alive "$first" && fail "expected the router to have ended"
run restart router; expect_code 1; expect "not running"
run supervise; expect_code 1; expect "not running"

# A new start: the same ports, and new logs.
run up --model "$work/model" --port 0 --expert-workers 3 --cache-megabytes 64 --worker-flag=--a=1 \
  --dense-flag=--b=2 --dense-flag=--c --expert-flag=--threads=3 --router-flag=--d=4
expect_code 0
[[ $(port_of router) == "$router_port" ]] || fail "expected the same port"
[[ $(grep -c -- --name "$state/expert-worker-1.log") == 1 ]] || fail "expected a new log"
[[ $(grep -c -- --name "$state/expert-worker-1.log.1") == 2 ]] || fail "expected the old log"
grep -q -- "--cache_megabytes=64 --a=1 --b=2 --c$" "$state/dense-worker-0.log" || fail "expected the dense worker's flags"
grep -q -- "--cache_megabytes=64 --a=1 --threads=3$" "$state/expert-worker-0.log" || fail "expected the expert worker's flags"
grep -q -- " --d=4$" "$state/router.log" || fail "expected the router's flags"
run up --dense-flag=--b=2 --dense-flag=--c --cache-megabytes 64; expect_code 0
run up --dense-flag=--b=3 --router-flag=--e; expect_code 1
expect "--dense-flag --b=2 --c instead of --b=3, --router-flag --d=4 instead of --e"
run restart dense-worker-0; expect_code 0
[[ $(grep -c -- "--a=1 --b=2 --c$" "$state/dense-worker-0.log") == 2 ]] || fail "expected the same flags"
run down; expect_code 0

# Flags that cluster.sh does not pass on.
run up --model "$work/model" --router-flag=--listen=0.0.0.0:1; expect_code 2; expect "--router-flag=--listen=0.0.0.0:1 is refused: "
run up --model "$work/model" --dense-flag=--weights=int4; expect_code 2; expect "use --weights"
run up --model "$work/model" --worker-flag=--threads=1; expect_code 2; expect "use --threads"
run up --model "$work/model" --expert-flag=threads; expect_code 2; expect "it must be --name or --name=value"
run up --model "$work/model" --cache-megabytes 0; expect_code 2; expect "from 1 to"

# Workers come and go.
run add expert-worker; expect_code 1; expect "not running"
run up --model "$work/model" --port 0 --expert-workers 2 --threads 1; expect_code 0; expect_alive 4
run add router; expect_code 2; expect "invalid choice"
run add dense-worker --experts 1; expect_code 2; expect "--experts is for expert workers"
run add expert-worker --experts 1,7; expect_code 2; expect "--experts names 7, but the model has 7 experts"
run add expert-worker --experts 1,x; expect_code 2; expect "numbers such as 0,4"
run add expert-worker --experts 5,1; expect_code 0; expect "expert-worker-2 127.0.0.1:"
grep -q -- "--experts=1,5 .*--threads=1" "$state/expert-worker-2.log" || fail "expected the given experts"
[[ $(wc -l < "$state/expert_workers.list") == 3 ]] || fail "expected 3 expert workers listed"
run add dense-worker; expect_code 0; expect "dense-worker-1 127.0.0.1:"
[[ $(wc -l < "$state/dense_workers.list") == 2 ]] || fail "expected 2 dense workers listed"
expect_alive 6
run status; expect_code 0; expect expert-worker-2
run up --model "$work/model"; expect_code 0; expect "already up"
run restart expert-worker-2; expect_code 0
[[ $(grep -c -- "--experts=1,5 " "$state/expert-worker-2.log") == 2 ]] || fail "expected the same experts"
run remove expert-worker-1; expect_code 2; expect "only expert-worker-1 has the experts 3: first run"
run remove router; expect_code 2; expect "only workers can"
run remove dense-worker-7; expect_code 2; expect "no process of this cluster"
removed=$(pid_of dense-worker-0)
run remove dense-worker-0; expect_code 0; expect "removed dense-worker-0"
dead "$removed" || fail "expected dense-worker-0 to have ended"
[[ $(wc -l < "$state/dense_workers.list") == 1 ]] || fail "expected 1 dense worker listed"
run remove dense-worker-1; expect_code 2; expect "the last dense-worker"
run add dense-worker; expect_code 0; expect "dense-worker-2 127.0.0.1:"
FAKE_DIE=expert-worker-3 run add expert-worker; expect_code 1; expect "expert-worker-3 has ended during the start"
[[ ! -e $state/expert-worker-3.pid ]] || fail "expected no process id"
expect_alive 6
run add expert-worker; expect_code 0; expect "expert-worker-3 with experts 0,1,2,3,4,5,6"
run remove expert-worker-1; expect_code 0
run remove expert-worker-2; expect_code 0
expect_alive 5

# All are restarted in turn: a substitute is started for expert-worker-3, which alone has some experts.
before=$(cat "$state"/*.pid)
run rolling-restart; expect_code 0; expect "all 5 processes are healthy"
expect "starting a substitute for expert-worker-3"; expect "stopping expert-worker-4"
expect_not "a substitute for expert-worker-0"; expect_not "a substitute for dense-worker"
expect_alive 5
while read -r pid _; do
  alive "$pid" && fail "expected all processes to be new"
done <<< "$before"
[[ ! -e $state/expert-worker-4.pid ]] || fail "expected the substitute to be gone"
run up; expect_code 0; expect "already up"
kill_and_await expert-worker-0
run rolling-restart; expect_code 1; expect 'first run "restart expert-worker-0"'
run down; expect_code 0
expect_only_logs

# The supervisor knows the workers that have come.
run up --supervise --model "$work/model" --port 0; expect_code 0
run add expert-worker; expect_code 0
kill_and_await expert-worker-2
added_again() { run status && [[ $code == 0 ]] && grep -qE '^expert-worker-2 .* 1 +[?] +SERVING' <<< "$output"; }
eventually added_again
run remove expert-worker-2; expect_code 0
run status; expect_code 0; expect "supervisor: process"; expect_not expert-worker-2
run down; expect_code 0
expect_only_logs

# A supervisor restarts what ends, and ends with the cluster.
run --supervise up --model "$work/model" --port 0; expect_code 0; expect "all 4 processes are healthy"
supervisor=$(pid_of supervisor)
run status; expect_code 0; expect "supervisor: process $supervisor"
killed=$(pid_of expert-worker-1)
port=$(port_of expert-worker-1)
kill -KILL "$killed"
running_again() { run status && [[ $code == 0 && $(pid_of expert-worker-1) != "$killed" ]]; }
eventually running_again
grep -qE '^expert-worker-1 .* 1 +SIGKILL +SERVING' <<< "$output" || fail "expected 1 restart after SIGKILL"
[[ $(port_of expert-worker-1) == "$port" ]] || fail "expected the same port"
run up --supervise; expect_code 0; expect "already up"
run supervise; expect_code 1; expect "process $supervisor supervises this cluster already"
kill -KILL "$supervisor"
eventually dead "$supervisor"
run status; expect_code 1; expect "supervisor: dead"
run up --supervise; expect_code 0; expect "already up"
run status; expect_code 0; expect "supervisor: process"
supervisor=$(pid_of supervisor)
run restart expert-worker-0; expect_code 0
run down; expect_code 0; expect stopped
alive "$supervisor" && fail "expected the supervisor to have ended"
grep -q "expert-worker-1 has ended (exit: SIGKILL); restart in 1 s" "$state/supervisor.log" || fail "expected a log"
expect_only_logs
expect_none_left

# A supervised start that fails, and one that is interrupted.
FAKE_DIE=expert-worker-1 run up --supervise --model "$work/model" --port 0
expect_code 1; expect "expert-worker-1 has ended during the start"
expect_only_logs
FAKE_SLOW=router begin --supervise
await router_waits
kill -TERM "$starting"
finish; expect_code 1; expect "interrupted"
expect_none_left
expect_only_logs

# A supervisor in the foreground.
run up --model "$work/model" --port 0; expect_code 0
"$cluster" supervise --state "$state" --bin "$work/bin" > "$work/begun" 2>&1 &
starting=$!
await grep -q "supervising 4 processes" "$work/begun"
killed=$(pid_of expert-worker-1)
kill -KILL "$killed"
eventually running_again
grep -qE '^expert-worker-1 .* 1 +[?] +SERVING' <<< "$output" || fail "expected 1 restart after an unknown exit"
kill -TERM "$starting"
finish; expect_code 0; expect "the supervision has been stopped"
expect_alive 4
run status; expect_code 0; expect_not supervisor
run down; expect_code 0

# A process fails to start: its log is shown, and the others are stopped.
FAKE_DIE=expert-worker-1 run up --model "$work/model" --port 0
expect_code 1; expect "expert-worker-1 has ended during the start"; expect "cannot read the model"
[[ -z $(find "$state" -name '*.pid') ]] || fail "expected no processes"

# A process that does not listen in time: the first one, because they are awaited in turn.
FAKE_SLOW=expert-worker-0 run up --model "$work/model" --port 0 --timeout 1
expect_code 1; expect "expert-worker-0 did not listen"
[[ -z $(find "$state" -name '*.pid') ]] || fail "expected no processes"

# Starts that are interrupted while they wait, and while they start processes.
for signal in TERM HUP; do
  FAKE_SLOW=router begin
  await router_waits
  kill -$signal "$starting"
  finish; expect_code 1; expect "interrupted"
  expect_none_left
  [[ -z $(find "$state" -name '*.pid') ]] || fail "expected no process ids"
done
for signal in TERM HUP TERM HUP; do
  FAKE_SLOW=router begin --expert-workers 7 --dense-workers 8  # So that it is not over before the signal.
  await grep -q starting "$work/begun"
  kill -$signal "$starting"
  finish; expect_code 1; expect "interrupted"
  expect_none_left
done

# A start that is killed.
FAKE_SLOW=router begin
await router_waits
kill -KILL "$starting"
finish
run up --model "$work/model"; expect_code 1; expect 'a start was interrupted: run "down" first'
touch "$state/router.address.partial" "$state/expert_workers.list.new"
run down --grace 1; expect_code 0; expect stopped
expect_none_left
expect_only_logs

# Settings of the script's first version, and a broken file.
run up --model "$work/model" --port 0; expect_code 0
echo "--model $work/model" > "$state/settings"
run up --model "$work/model"; expect_code 1; expect 'another version'; expect 'run "down" first'
: > "$state/router-7.pid"
run up --model "$work/model"; expect_code 1; expect "$state/router-7.pid"; expect 'run "down" first'
run down; expect_code 0; expect "$state/router-7.pid: no process id"; expect stopped
expect_only_logs

# A process that ignores SIGTERM is killed.
FAKE_STUBBORN=dense-worker-0 run up --model "$work/model" --port 0; expect_code 0
read -r stubborn _ < "$state/dense-worker-0.pid"
run up --threads 2; expect_code 1; expect "--threads (not given) instead of 2"
run down --grace 1; expect_code 0; expect "stopped"
expect "dense-worker-0 did not end within 1 s: killed"
alive "$stubborn" && fail "expected dense-worker-0 to have ended"
expect_only_logs

# The process id now belongs to another program, which must be left alone.
run up --model "$work/model" --port 0; expect_code 0
read -r router _ < "$state/router.pid"
kill -KILL "$router"
sleep 1000 & bystander=$!
echo "$bystander 1" > "$state/router.pid"
run status; expect_code 1; expect dead
run down; expect_code 0
alive "$bystander" || fail "expected the other program to live"
kill "$bystander"

((failures == 0)) && echo "all good"
exit $((failures > 0))

#!/bin/bash
# Runs a cluster of real processes on this machine: one router, dense workers and
# expert workers, all on 127.0.0.1.
#
# Usage: deploy/local/cluster.sh up --model DIR [options]
#        deploy/local/cluster.sh status|down [--state DIR]
#
#   up       starts the processes, waits until all are healthy, and prints the
#            router's address. Where they run already, refuses options other than
#            those they were started with; options left out are not compared
#   status   shows each process; exit code 1 unless all are healthy
#   down     stops the processes and removes the state
#
#   --model DIR           checkpoint to serve
#   --dense-workers N     default 1
#   --expert-workers N    from 1 to the model's number of experts, default 2; the
#                         experts are dealt out to the workers in turn
#   --port P              of the router, default 50051; 0: any free port
#   --weights FORMAT      of all workers: auto (default), float32, bf16, int8 or int4
#   --threads N           for each worker's arithmetic, default its own choice
#   --timeout S           for the start, default 300
#   --grace S             how long a process may take to end before it is killed,
#                         default 15: requests get up to 10 s
#   --state DIR           logs, process ids and addresses; default
#                         ~/.local/state/apollo-moe/cluster
#   --bin DIR             built programs, default .bazel/bin of this checkout
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
mistake() {
  echo "cluster.sh: $1 (see --help)" >&2
  exit 2
}
fail() {
  echo "cluster.sh: $1" >&2
  exit 1
}

# --- The command line ---------------------------------------------------------

command=""
model=""
dense_workers=1
expert_workers=""
port=50051
threads=""
weights=auto
timeout=300
grace=15
declare -A given=() # Options that were given.
state=${XDG_STATE_HOME:-${HOME:-/tmp/apollo-$EUID}/.local/state}/apollo-moe/cluster
bin=$root/.bazel/bin

number() { # OPTION VALUE FROM TO
  if ! [[ $2 =~ ^[0-9]{1,7}$ ]] || ((10#$2 < $3 || 10#$2 > $4)); then
    mistake "$1 is \"$2\", but must be a number from $3 to $4"
  fi
}

while (($# > 0)); do
  case "$1" in
    up | down | status)
      [[ -z $command ]] || mistake "both \"$command\" and \"$1\""
      command=$1
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    --model | --dense-workers | --expert-workers | --port | --threads | --weights | --timeout | --grace | --state | --bin)
      (($# > 1)) || mistake "$1 needs a value"
      given[$1]=1
      case "$1" in
        --model) model=$2 ;;
        --dense-workers) number "$1" "$2" 1 64; dense_workers=$((10#$2)) ;;
        --expert-workers) number "$1" "$2" 1 1024; expert_workers=$((10#$2)) ;;
        --port) number "$1" "$2" 0 65535; port=$((10#$2)) ;;
        --threads) number "$1" "$2" 1 1024; threads=$((10#$2)) ;;
        --weights) weights=$2 ;;
        --timeout) number "$1" "$2" 1 86400; timeout=$((10#$2)) ;;
        --grace) number "$1" "$2" 1 86400; grace=$((10#$2)) ;;
        --state) state=$2 ;;
        --bin) bin=$2 ;;
      esac
      shift
      ;;
    *) mistake "unknown argument \"$1\"" ;;
  esac
  shift
done
[[ -n $command ]] || mistake "up, down or status?"
state=$(realpath -m "$state")
client=$bin/tools/apollo/apollo

# --- Processes ----------------------------------------------------------------
# NAME.pid holds a process id and the time when that process started, because the
# system may give the same id to another program later.

# State and start time of a process, or nothing.
process_stat() { # PID
  local stat fields
  { stat=$(< "/proc/$1/stat"); } 2> /dev/null || return 0
  # After the program's name, which is in brackets and may hold anything.
  read -ra fields <<< "${stat##*) }"
  echo "${fields[0]} ${fields[19]}"
}

# A zombie is no longer running; nobody may be there to collect it.
is_running() { # NAME
  local pid start stat
  read -r pid start 2> /dev/null < "$state/$1.pid" || return 1
  stat=$(process_stat "$pid")
  [[ -n $stat && ${stat#* } == "$start" && ${stat% *} != [ZX] ]]
}

pid_of() { # NAME
  local pid rest
  read -r pid rest < "$state/$1.pid"
  echo "$pid"
}

# Address of a process: WHAT is grpc or metrics. Nothing if not known yet.
address_of() { # NAME WHAT
  awk -v what="$2" '$1 == what { print $2; exit }' "$state/$1.address" 2> /dev/null || true
}

# All processes of the state, experts first.
names() {
  local file
  for file in "$state"/{expert-worker-*,dense-worker-*,router}.pid; do
    [[ -e $file ]] && basename "$file" .pid
  done
  return 0
}

start() { # NAME PROGRAM ARGUMENT...
  local name=$1 program=$2 stat
  shift 2
  rm -f "$state/$name.address"
  # A session of its own, so that a Ctrl-C in this terminal does not reach it.
  # Descriptor 9 is the lock.
  setsid nohup "$program" --model "$model" --name "$name" \
    --metrics_listen 127.0.0.1:0 --address_file "$state/$name.address" "$@" \
    < /dev/null > "$state/$name.log" 2>&1 9>&- &
  stat=$(process_stat $!)
  echo "$! ${stat#* }" > "$state/$name.pid"
}

# Asks the processes to end and waits; ends those that do not by force.
stop() { # NAME...
  local name waited=0 left
  for name in "$@"; do
    if is_running "$name"; then
      kill -TERM "$(pid_of "$name")" 2> /dev/null || true
    fi
  done
  while ((waited < grace * 10)); do
    left=0
    for name in "$@"; do
      is_running "$name" && left=1
    done
    ((left == 0)) && return 0
    sleep 0.1
    ((++waited))
  done
  for name in "$@"; do
    if is_running "$name"; then
      echo "$name did not end within $grace s: killed" >&2
      kill -KILL "$(pid_of "$name")" 2> /dev/null || true
      for ((waited = 0; waited < 50; ++waited)); do
        is_running "$name" || break
        sleep 0.1
      done
    fi
  done
}

stop_all() {
  # The router first: while it ends its requests, it needs the workers.
  stop router
  local all
  mapfile -t all < <(names)
  stop "${all[@]}"
}

remove_state() { # [logs]
  rm -f "$state"/{router,dense-worker-*,expert-worker-*}.{pid,address} \
    "$state"/{dense_workers,expert_workers}.list "$state/settings"
  if [[ ${1:-} == logs ]]; then
    rm -f "$state"/{router,dense-worker-*,expert-worker-*}.log
    rmdir "$state" 2> /dev/null || true
  fi
}

lock() {
  exec 9< "$state"
  flock -w 60 9 || fail "another cluster.sh is at work on $state"
}

# --- status -------------------------------------------------------------------

status() {
  local name pid health result=0
  mapfile -t all < <(names)
  if ((${#all[@]} == 0)); then
    echo "not running (no state in $state)"
    return 1
  fi
  printf '%-18s %-8s %-22s %-22s %s\n' ROLE PID ADDRESS METRICS HEALTH
  for name in "${all[@]}"; do
    pid=$(pid_of "$name")
    health=dead
    if is_running "$name"; then
      health=$("$client" --server "$(address_of "$name" grpc)" --timeout 3 health \
        2> /dev/null) || health=${health:-no answer}
    fi
    [[ $health == SERVING ]] || result=1
    printf '%-18s %-8s %-22s %-22s %s\n' "$name" "$pid" \
      "$(address_of "$name" grpc)" "$(address_of "$name" metrics)" "$health"
  done
  echo "state: $state"
  return $result
}

# --- up -----------------------------------------------------------------------
# "settings" holds the options of the running cluster, one "--OPTION VALUE" a line.

write_settings() {
  printf '%s %s\n' --model "$model" --dense-workers "$dense_workers" \
    --expert-workers "$expert_workers" --port "$port" --threads "$threads" \
    --weights "$weights" --bin "$(realpath -m "$bin")" > "$state/settings"
}

# Ends with an error if an option was given that is not the running cluster's.
refuse_other_settings() {
  local option wanted now differ=""
  [[ -e $state/settings ]] || return 0
  for option in --model --dense-workers --expert-workers --port --threads --weights --bin; do
    [[ -n ${given[$option]:-} ]] || continue
    now=$(sed -n "s/^$option //p" "$state/settings")
    case "$option" in
      --model) wanted=$(realpath -m "$model") ;;
      --dense-workers) wanted=$dense_workers ;;
      --expert-workers) wanted=$expert_workers ;;
      --port)
        ((port != 0)) || continue # Any port will do.
        wanted=$port
        now=$(address_of router grpc)
        now=${now##*:}
        ;;
      --threads) wanted=$threads ;;
      --weights) wanted=$weights ;;
      --bin) wanted=$(realpath -m "$bin") ;;
    esac
    [[ $wanted == "$now" ]] ||
      differ+="${differ:+, }$option ${now:-(not given)} instead of $wanted"
  done
  [[ -z $differ ]] ||
    fail "already up (state: $state), but with $differ: run \"down\" first, or use another --state"
}

# Shows why the start failed, stops everything and ends.
give_up() { # MESSAGE [NAME]
  trap - INT TERM EXIT
  echo "cluster.sh: $1" >&2
  if [[ -n ${2:-} ]]; then
    echo "last lines of $state/$2.log:" >&2
    tail -n 15 "$state/$2.log" | sed 's/^/  /' >&2
  fi
  stop_all
  remove_state
  exit 1
}

require_running() { # NAME...
  local name
  for name in "$@"; do
    is_running "$name" || give_up "$name has ended during the start" "$name"
  done
}

# Writes the addresses of processes to a list that other processes watch.
write_list() { # FILE NAME...
  local file=$1 name
  shift
  for name in "$@"; do
    address_of "$name" grpc
  done > "$file.new"
  mv "$file.new" "$file"
}

wait_for_addresses() { # NAME...
  local name
  for name in "$@"; do
    while [[ -z $(address_of "$name" grpc) ]]; do
      require_running "$@"
      ((SECONDS < deadline)) || give_up "$name is not listening after $timeout s" "$name"
      sleep 0.05
    done
  done
}

wait_for_health() { # NAME...
  local name
  for name in "$@"; do
    until "$client" --server "$(address_of "$name" grpc)" health --wait 1 \
      > /dev/null 2>&1; do
      require_running "$@"
      ((SECONDS < deadline)) || give_up "$name is not healthy after $timeout s" "$name"
      sleep 0.05
    done
  done
}

num_experts() {
  python3 - "$model/config.json" << 'PYTHON'
import json
import sys

try:
    with open(sys.argv[1], encoding="utf-8") as file:
        count = json.load(file)["num_experts"]
    if type(count) is not int or count < 1:
        raise ValueError("num_experts is %r" % (count,))
except KeyError:
    sys.exit("%s: no num_experts: not an Apollo-MoE model" % sys.argv[1])
except (OSError, TypeError, ValueError) as error:
    sys.exit("%s: %s" % (sys.argv[1], error))
print(count)
PYTHON
}

up() {
  local name running=0 experts i j resident
  local experts_names=() dense_names=() all=() options=()

  mkdir -p "$state"
  lock
  mapfile -t all < <(names)
  for name in "${all[@]}"; do
    is_running "$name" && ((++running))
  done
  if ((running > 0)); then
    if ((running < ${#all[@]})); then
      fail "only $running of ${#all[@]} processes of $state are alive: run \"down\" first"
    fi
    refuse_other_settings
    echo "already up (state: $state)"
    echo "router $(address_of router grpc)"
    return 0
  fi
  remove_state

  [[ -n $model ]] || mistake "up needs --model"
  [[ -f $model/config.json ]] || fail "$model: no config.json, so not a model"
  model=$(realpath "$model")
  for name in router/router dense_worker/dense_worker expert_worker/expert_worker tools/apollo/apollo; do
    [[ -x $bin/$name ]] ||
      fail "no $bin/$name: first run
  bazel build //router //dense_worker //expert_worker //tools/apollo"
  done
  experts=$(num_experts) || exit 1
  [[ -n $expert_workers ]] || expert_workers=$((experts < 2 ? experts : 2))
  ((expert_workers <= experts)) ||
    mistake "--expert-workers is $expert_workers, but the model has $experts experts"
  [[ -z $threads ]] || options+=(--threads "$threads")
  options+=(--weights "$weights")

  deadline=$((SECONDS + timeout))
  trap 'give_up "interrupted"' INT TERM
  trap 'give_up "failed"' EXIT
  echo "state: $state"
  write_settings
  : > "$state/expert_workers.list"
  : > "$state/dense_workers.list"
  for ((i = 0; i < expert_workers; ++i)); do
    resident=""
    for ((j = i; j < experts; j += expert_workers)); do
      resident+=${resident:+,}$j
    done
    echo "starting expert-worker-$i with experts $resident"
    start "expert-worker-$i" "$bin/expert_worker/expert_worker" \
      --listen 127.0.0.1:0 --experts "$resident" \
      --expert_workers "file:$state/expert_workers.list" "${options[@]}"
    experts_names+=("expert-worker-$i")
  done
  for ((i = 0; i < dense_workers; ++i)); do
    echo "starting dense-worker-$i"
    start "dense-worker-$i" "$bin/dense_worker/dense_worker" \
      --listen 127.0.0.1:0 \
      --expert_workers "file:$state/expert_workers.list" "${options[@]}"
    dense_names+=("dense-worker-$i")
  done
  echo "starting router"
  start router "$bin/router/router" --listen "127.0.0.1:$port" \
    --dense_workers "file:$state/dense_workers.list"
  all=("${experts_names[@]}" "${dense_names[@]}" router)

  wait_for_addresses "${all[@]}"
  write_list "$state/expert_workers.list" "${experts_names[@]}"
  write_list "$state/dense_workers.list" "${dense_names[@]}"
  wait_for_health "${all[@]}"
  trap - INT TERM EXIT
  echo "all ${#all[@]} processes are healthy"
  echo "router $(address_of router grpc)"
}

down() {
  if [[ ! -d $state ]] || [[ -z $(names) ]]; then
    echo "not running (no state in $state)"
    [[ ! -d $state ]] || remove_state logs
    return 0
  fi
  lock
  stop_all
  remove_state logs
  echo "stopped"
}

"$command"

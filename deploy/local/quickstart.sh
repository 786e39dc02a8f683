#!/bin/bash
# Runs the demo on a fresh Debian 12: installs missing packages, builds, prepares
# the demo model, starts a cluster of separate processes on this machine, asks it
# a medical question, and stops it.
#
# Usage: deploy/local/quickstart.sh [--keep] [--port P]
#   --keep     leave the cluster running; deploy/local/cluster.sh down stops it
#   --port P   port of the router; default: a free port, or 50051 with --keep
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The home directory holds the demo model and the state; some containers do not
# set HOME.
export HOME=${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}

question="What are the first signs of a stroke, and what should I do?"
keep=false
port=""
while (($# > 0)); do
  case "$1" in
    --keep) keep=true ;;
    --port)
      port=${2:-}
      shift || true
      [[ $port =~ ^[0-9]{1,5}$ ]] || { echo "$0: --port needs a number" >&2; exit 2; }
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "$0: unknown argument \"$1\" (see --help)" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n[%3d s] %s\n' "$SECONDS" "$*"; }

say "1/5  Installing missing packages"
tools/install_packages.sh

say "2/5  Building"
bazel build -c opt --noshow_loading_progress --show_progress_rate_limit=5 --show_result=0 \
  //router //dense_worker //expert_worker //tools/apollo //tools/upcycle
client=.bazel/bin/tools/apollo/apollo

say "3/5  Preparing the demo model"
model=$(deploy/local/demo_model.sh | tail -n 1)

# With --keep the cluster uses the default state directory, where `cluster.sh`
# finds it. Otherwise it uses a temporary one, so as not to disturb another cluster.
state=()
if ! $keep; then
  directory=$(mktemp -d)
  state=(--state "$directory/cluster")
  stop() {
    deploy/local/cluster.sh down "${state[@]}"
    rm -rf "$directory"
  }
  trap stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  port=${port:-0}
fi

say "4/5  Starting a router, a dense worker and two expert workers"
deploy/local/cluster.sh up --model "$model" --dense-workers 1 --expert-workers 2 \
  --port "${port:-50051}" "${state[@]}"
table=$(deploy/local/cluster.sh status "${state[@]}")
echo "$table"
read -r router metrics < <(awk '$1 == "router" { print $3, $4 }' <<< "$table")

say "5/5  Asking: $question"
"$client" --server "$router" ask --max_new_tokens 120 "$question"

say "Done"
cat << TEXT
The demo model is in $model
It is a small general model (135 million parameters) whose last layers were copied
into experts. It demonstrates the cluster; its answers are not medical advice.

Next steps:
TEXT
if $keep; then
  cat << TEXT
  export APOLLO_SERVER=$router
TEXT
else
  cat << TEXT
  deploy/local/cluster.sh up --model $model
  export APOLLO_SERVER=127.0.0.1:50051
TEXT
fi
cat << TEXT
  $client ask --language es "¿Qué es la anemia?"
  $client chat
  $client score "Which organ makes insulin?" " The pancreas" " The liver"
  $client detect "Je, homa ya mtoto hutibiwa vipi?"
  $client --help
TEXT
if $keep; then
  cat << TEXT
  curl -s http://$metrics/metrics | grep ^apollo_
  deploy/local/cluster.sh status
  deploy/local/cluster.sh down
TEXT
else
  cat << TEXT
  deploy/local/cluster.sh status   # lists metrics addresses; curl http://ADDRESS/metrics
  deploy/local/cluster.sh down
TEXT
  say "Stopping the cluster"
fi

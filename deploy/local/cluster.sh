#!/bin/bash
# Runs a cluster of real processes on this machine: one router, dense workers and
# expert workers, all on 127.0.0.1.
#
# Usage: deploy/local/cluster.sh up --model DIR [options]
#        deploy/local/cluster.sh status|supervise|down [--state DIR]
#        deploy/local/cluster.sh restart NAME... [--state DIR]
#        deploy/local/cluster.sh rolling-restart [--state DIR]
#        deploy/local/cluster.sh add dense-worker|expert-worker [--experts N,N] [--state DIR]
#        deploy/local/cluster.sh remove NAME [--state DIR]
#        deploy/local/cluster.sh up --help
exec python3 "$(dirname "${BASH_SOURCE[0]}")/cluster.py" "$@"

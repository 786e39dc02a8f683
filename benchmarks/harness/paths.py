"""Paths of files and programs."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "apollo-moe")
PEERS = os.path.join(CACHE, "peers")
BINARIES = os.path.join(ROOT, ".bazel/bin")
# The targets to build with `bazel build -c opt`.
TARGETS = ("//deploy/local:apollo_local //router //dense_worker //expert_worker //tools/apollo "
           "//benchmarks/load //benchmarks/router:router_overhead //benchmarks/memory:memory_bandwidth //tools/pack")

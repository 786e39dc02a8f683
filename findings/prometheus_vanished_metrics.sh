#!/bin/bash
# prometheus-cpp 1.0.1: metrics vanish from /metrics without an error when their registry has no other owner.
#
# A program makes a registry, registers it with the Exposer, which takes a shared pointer, and lets
# its own pointer go, as the part of the program that made it ends. The guess is that the Exposer
# shares the ownership, so that the metrics are served as long as it runs. But it keeps weak
# pointers: the metrics are gone from the next scrape on. /metrics still answers 200, `up` stays 1,
# and an alert on the value of a metric that does not exist never fires.
#
# For those who watch a service by its metrics: registries need an owner that lives as long as the
# Exposer, and alerts a partner with absent().
#
# Usage: findings/prometheus_vanished_metrics.sh  (needs Debian 12, g++ and its package mirror; 1 MB; loopback only)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
apt-get --quiet=2 download prometheus-cpp-dev=1.0.1-1 libprometheus-cpp-core1.0=1.0.1-1 \
  libprometheus-cpp-pull1.0=1.0.1-1 libcivetweb1=1.15+dfsg-4 2> /dev/null || exit 2
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
lib=$work/root/usr/lib/$(uname -m)-linux-gnu

cat > program.cc << 'CPP'
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <iostream>
#include <memory>
#include <string>

std::shared_ptr<prometheus::Registry> Make(const std::string& name) {
  auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter().Name(name).Register(*registry).Add({}).Increment();
  return registry;
}

int main() {
  prometheus::Exposer exposer("127.0.0.1:0");
  const auto owned = Make("owned_total");
  auto passed = Make("passed_total");
  exposer.RegisterCollectable(owned);
  exposer.RegisterCollectable(passed);
  std::cout << exposer.GetListeningPorts().at(0) << std::endl;
  std::cin.get();
  passed.reset();
  std::cout << "released" << std::endl;
  std::cin.get();
}
CPP
g++ -std=c++17 -Iroot/usr/include program.cc -o program -L"$lib" -Wl,-rpath,"$lib" -Wl,-rpath-link,"$lib" \
  -lprometheus-cpp-pull -lprometheus-cpp-core -pthread || exit 2

env --unset=http_proxy --unset=https_proxy LD_LIBRARY_PATH="$lib" python3 - << 'PYTHON'
import re
import subprocess
import sys
import urllib.request

with subprocess.Popen(["./program"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
    port = program.stdout.readline().strip()

    def served():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
            names = re.findall(r"(?m)^((?:owned|passed)_total) 1$", response.read().decode())
            return response.status, sorted(names)

    before = served()
    program.stdin.write("\n")
    program.stdin.flush()
    program.stdout.readline()
    after = served()
    program.communicate("\n")
print("prometheus-cpp 1.0.1-1; two registries are registered, then the program releases one")
print(f"before: {before[0]}, {', '.join(before[1])}")
print("a good guess: the same afterwards, as the Exposer was given a shared pointer")
print(f"after:  {after[0]}, {', '.join(after[1])}")
as_described = before == (200, ["owned_total", "passed_total"]) and after == (200, ["owned_total"])
print("As described: the metrics are gone, and the scrape succeeds." if as_described else "The behaviour has changed.")
sys.exit(0 if as_described else 1)
PYTHON

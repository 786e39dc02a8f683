#!/bin/bash
# Installs Debian's matplotlib for routing_map.py. Does nothing if it is installed.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../install_packages.sh" --plots

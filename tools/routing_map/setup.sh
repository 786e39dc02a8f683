#!/bin/bash
# Installs what routing_map.py draws with (Debian's matplotlib). Does nothing, at
# once, if it is there.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../install_packages.sh" --plots

#!/bin/bash
# Installs the Debian packages of lists in this folder. Runs in an image that is being built.
#
# Usage: /opt/libraries/install.sh LIST...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DEBIAN_FRONTEND=noninteractive
./backports.sh
apt-get update -q
grep -hv '^#' "${@/%/.txt}" | xargs apt-get install -qy --no-install-recommends
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log

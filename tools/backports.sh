#!/bin/bash
# Lets apt install OpenTelemetry's SDK from bookworm-backports, because Debian 12 lacks it: adds that
# suite as a source, for these packages alone. Does nothing if others have made the suite a source of
# apt, or on another release. Run it as root, before "apt-get update".
#
# Usage: tools/backports.sh
set -euo pipefail

# shellcheck disable=SC1091 # Not a file of the tree.
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[[ $release == bookworm ]] || exit 0
sources=/etc/apt/sources.list.d/apollo-moe-backports.sources
# shellcheck disable=SC2016 # apt expands it.
if [[ ! -e $sources ]] && apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' | grep -qx bookworm-backports; then
  exit 0
fi

cat > "$sources" << END
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
cat > /etc/apt/preferences.d/apollo-moe-backports << END
Package: *
Pin: release n=bookworm-backports
Pin-Priority: -1

Package: opentelemetry-cpp opentelemetry-cpp-dev libopentelemetry-proto-dev
Pin: release n=bookworm-backports
Pin-Priority: 500
END

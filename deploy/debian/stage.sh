#!/bin/bash
# Installs the files of the Debian package below a folder.
#
# Usage: deploy/debian/stage.sh ROOT PROGRAMS
#   PROGRAMS  folder with router, dense_worker, expert_worker and apollo
set -euo pipefail
(($# == 2)) || { echo "usage: $0 ROOT PROGRAMS" >&2; exit 2; }
root=$1
programs=$2
systemd=$(dirname "${BASH_SOURCE[0]}")/../systemd
debian=$(dirname "${BASH_SOURCE[0]}")

put() { install -D --mode="$1" -t "$root$2" "${@:3}"; } # MODE FOLDER FILE...
put 755 /usr/bin "$programs/apollo"
put 755 /usr/libexec/apollo-moe "$programs"/{router,dense_worker,expert_worker}
put 644 /lib/systemd/system "$systemd"/*.service "$systemd"/*.target
put 644 /etc/apollo-moe "$systemd"/conf/*.conf
put 644 /usr/share/doc/apollo-moe "$debian"/{README.Debian,copyright}
put 644 /usr/share/doc/apollo-moe/examples "$systemd/gpu.conf"
put 644 /usr/share/man/man1 "$debian/apollo.1"
install -D --mode=644 "$debian/lintian-overrides" "$root/usr/share/lintian/overrides/apollo-moe"
# The place of the model. Empty.
install -d --mode=755 "$root/var/lib/apollo-moe"

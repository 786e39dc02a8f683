#!/bin/bash
# Builds the Debian package of router, workers, client and systemd units, for this machine's
# architecture. Prints its path. Needs the packages of tools/install_packages.sh --packages.
#
# Usage: deploy/debian/build.sh FOLDER [--programs FOLDER]
#   FOLDER             gets apollo-moe_VERSION_ARCHITECTURE.deb
#   --programs FOLDER  takes router, dense_worker, expert_worker and apollo from this folder
#                      instead of building them
#
# DEBFULLNAME and DEBEMAIL name the maintainer. SOURCE_DATE_EPOCH sets the times of all files; by
# default, it is the time of the last commit.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

programs=
folder=
while (($# > 0)); do
  case "$1" in
    --programs)
      [[ -x ${2:-}/router ]] || { echo "$0: --programs needs a folder with the programs" >&2; exit 2; }
      programs=$(realpath "$2")
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    -*) echo "$0: unknown argument \"$1\" (see --help)" >&2; exit 2 ;;
    *) folder=$(realpath -m "$1") ;;
  esac
  shift
done
[[ -n $folder ]] || { echo "$0: a folder is missing (see --help)" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

if [[ -z $programs ]]; then
  programs=$work/programs
  "$root/deploy/images/build_programs.sh" "$programs" //router //dense_worker //expert_worker //tools/apollo >&2
fi
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)";/\1/p' "$root/serving/version.h")
[[ $version =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || { echo "$0: serving/version.h has no version: \"$version\"" >&2; exit 1; }
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2> /dev/null || date +%s)}
maintainer="${DEBFULLNAME:-Apollo-MoE developers} <${DEBEMAIL:-apollo-moe@$(hostname --fqdn 2> /dev/null || hostname)}>"
architecture=$(dpkg --print-architecture)

umask 022
"$here/stage.sh" "$tree" "$programs"
strip --strip-unneeded "$tree"/usr/bin/* "$tree"/usr/libexec/apollo-moe/*

# dpkg-shlibdeps wants a source package.
mkdir -p "$work/source/debian"
echo "Source: apollo-moe" > "$work/source/debian/control"
depends=$(cd "$work/source" && dpkg-shlibdeps -O --warnings=0 "$tree"/usr/bin/* "$tree"/usr/libexec/apollo-moe/*)
# It leaves out libraries without a version in their names: those of OpenTelemetry.
depends="${depends#shlibs:Depends=}, opentelemetry-cpp (>= 1.19)"

cat > "$tree/usr/share/doc/apollo-moe/changelog" << END
apollo-moe ($version) unstable; urgency=medium

  * Version $version.

 -- $maintainer  $(date --utc --date="@$SOURCE_DATE_EPOCH" -R)
END
gzip -9n "$tree/usr/share/doc/apollo-moe/changelog" "$tree/usr/share/man/man1/apollo.1"

mkdir "$tree/DEBIAN"
cat > "$tree/DEBIAN/control" << END
Package: apollo-moe
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du --summarize --apparent-size --block-size=1024 --exclude=DEBIAN "$tree" | cut -f 1)
Depends: $depends
Recommends: systemd
Section: science
Priority: optional
Description: serving cluster for multilingual medical mixture-of-experts models
 Apollo-MoE models are language models whose last layers are split into
 language-family experts. A router tokenizes questions and detects their
 language, dense workers run the layers that all languages share, and expert
 workers run the last layers.
 .
 The package has these three programs, a client and systemd units. It contains
 no model.
END
(cd "$tree" && find etc -type f | sed 's,^,/,' | LC_ALL=C sort) > "$tree/DEBIAN/conffiles"
install --mode=755 -t "$tree/DEBIAN" "$here"/scripts/*
(cd "$tree" && find lib usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) > "$tree/DEBIAN/md5sums"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$folder"
dpkg-deb --root-owner-group --build "$tree" "$folder" >&2
echo "$folder/apollo-moe_${version}_$architecture.deb"

#!/usr/bin/env bash
# Programs that Debian has, unpacked into a folder and not installed: unpacked.sh FOLDER PACKAGE…
#
# Installing CrowdSec registers the machine with a service on the Internet and starts daemons, one of which writes firewall rules. Tests
# need the programs alone.
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
missing=()
for package in "$@"; do
  [ -e "$folder/.$package" ] || missing+=("$package")
done
[ ${#missing[@]} != 0 ] || exit 0
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# apt drops its rights for the download.
chmod 755 "$scratch"
cd "$scratch"
# The lists of a fresh machine may be old, or not be there.
apt-get download "${missing[@]}" > log 2>&1 || { "${root[@]}" apt-get update && apt-get download "${missing[@]}"; } >> log 2>&1 || {
  cat log >&2
  echo "cannot download ${missing[*]}" >&2
  exit 1
}
for file in *.deb; do
  dpkg-deb --extract "$file" "$folder"
done
for package in "${missing[@]}"; do
  touch "$folder/.$package"
done

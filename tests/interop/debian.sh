#!/usr/bin/env bash
# Programs that Debian has, installed where they are missing: debian.sh PROGRAM:PACKAGE…
set -euo pipefail

# Where Debian has what only an administrator calls.
PATH="$PATH:/usr/sbin:/sbin"
missing=()
for pair in "$@"; do
  command -v "${pair%%:*}" > /dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} != 0 ] || exit 0
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; }
# The lists of a fresh machine may be old, or not be there.
install > "$log" 2>&1 || { "${root[@]}" apt-get update && install; } >> "$log" 2>&1 || {
  cat "$log" >&2
  echo "cannot install ${missing[*]}" >&2
  exit 1
}

#!/usr/bin/env bash
# Debian's PostgreSQL, of whatever version, and what libraries of it this machine lacks, unpacked and not installed: postgresql.sh FOLDER
#
# Installing it makes a user and starts a server. Tests need two programs: initdb and postgres.
set -euo pipefail

unpacked=$(dirname "${BASH_SOURCE[0]}")/unpacked.sh
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

there() { compgen -G "$folder/usr/lib/postgresql/*/bin/postgres"; }
# The names that packages depend on directly.
depends() { apt-cache depends --important "$@" | sed -n 's/^ *|\?Depends: \([a-z].*\)/\1/p'; }
newest() { depends postgresql | grep -xE 'postgresql-[0-9]+'; }
# Libraries that the loader does not find: here, or among what is unpacked.
lacks() {
  local libraries
  libraries=$(compgen -G "$folder/lib/*-linux-*" || true; compgen -G "$folder/usr/lib/*-linux-*" || true)
  LD_LIBRARY_PATH=${libraries//$'\n'/:} ldd "$(there | tail -n 1)" | grep 'not found'
}

there > "$log" || {
  # The lists of a fresh machine may be old, or not be there.
  server=$(newest) || { "${root[@]}" apt-get update > "$log" 2>&1 && server=$(newest); } || {
    cat "$log" >&2
    echo "there is no package of PostgreSQL" >&2
    exit 1
  }
  "$unpacked" "$folder" "$server"
}
if lacks > "$log"; then
  # All that they are made of, but for those that belong to the loader, and the compiler that nothing here is long enough for.
  not='libc6|libgcc-s1|libstdc\+\+6|libcrypt1|libllvm.*'
  server=$(there | tail -n 1 | cut -d / -f "$(($(tr -cd / <<< "$folder" | wc -c) + 5))")
  before='' libraries=$(depends "postgresql-$server" | grep -E '^lib' | grep -vxE "$not" | sort -u)
  while [ "$libraries" != "$before" ]; do
    before=$libraries
    # shellcheck disable=SC2086
    libraries=$({ echo "$before"; depends $before; } | grep -E '^lib' | grep -vxE "$not" | sort -u)
  done
  # shellcheck disable=SC2086
  "$unpacked" "$folder" $libraries
  if lacks >&2; then exit 1; fi
fi
# It reads the time zones of the machine.
[ -e /usr/share/zoneinfo/UTC ] || "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends tzdata > "$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}

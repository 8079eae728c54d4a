#!/usr/bin/env bash
# Every client that is promised to work, over both transports: clients.sh BIN VENV NODE
#
# BIN holds the programs, VENV the Python packages of requirements.txt (beside it VENV-mcp1 and VENV-fastmcp those of clients/*.txt), NODE the
# packages of package.json. A row of the table is one client in one mode over one transport, and every check of it. The last line is the sum.
set -euo pipefail

if [ $# != 3 ]; then
  echo "usage: clients.sh BIN VENV NODE" >&2
  exit 3
fi
bin=$(realpath "$1") venv=$(realpath "$2") modules=$(realpath "$3")/node_modules python=$(realpath "$2")/bin/python
interop=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
. "$interop/../conformance/house.sh"
export PYTHONDONTWRITEBYTECODE=1

install_fixtures > "$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; exit 1; }
serve_http
export CASEMATE_TOKEN=$token CASEMATE_CHANGED=$work/operator
change=$interop/clients/change.sh

rows=0
failed=0

# row CLIENT MODE COMMAND… : the client over both transports; COMMAND takes `http URL` or `stdio COMMAND…` behind it.
row() {
  local client=$1 mode=$2 transport status sum
  shift 2
  for transport in stdio http; do
    local to=(stdio "${stdio[@]}")
    [ "$transport" = stdio ] || to=(http "$url")
    status=0
    timeout 120 "$@" "${to[@]}" > "$work/row.out" 2>&1 < /dev/null || status=$?
    sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/row.out" | tail -n 1 || true)
    rows=$((rows + 1))
    if [ "$status" = 0 ] && [ -n "$sum" ]; then
      printf 'ok    %-28s %-7s %-6s %s\n' "$client" "$mode" "$transport" "${sum%%,*}"
    else
      failed=$((failed + 1))
      printf 'FAIL  %-28s %-7s %-6s %s\n' "$client" "$mode" "$transport" "status $status"
      sed 's/^/      /' "$work/row.out"
    fi
  done
}

typescript=(node "$interop/clients/typescript.mjs" "$modules")
row "TypeScript SDK v1" legacy "${typescript[@]}" v1 legacy "$change"
for mode in legacy auto pinned; do
  row "TypeScript SDK v2" "$mode" "${typescript[@]}" v2 "$mode" "$change"
done

# What a client gave up has stopped: it is on record as cancelled, each of them.
echo "$((rows - failed)) passed, $failed failed"
[ "$failed" = 0 ]

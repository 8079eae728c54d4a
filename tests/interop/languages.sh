#!/usr/bin/env bash
# Plugins in Python and JavaScript, from their source to an answer: languages.sh BIN VENV NODE
#
# BIN holds the programs `casemate` and `casemate-close`, VENV the packages of requirements.txt, NODE those of
# plugins/examples/javascript/package.json. The upstream is a fake on loopback. The last line is the sum.
set -euo pipefail

if [ $# != 3 ]; then
  echo "usage: languages.sh BIN VENV NODE" >&2
  exit 3
fi
bin=$(realpath "$1") venv=$(realpath "$2") node=$(realpath "$3")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
examples=$(realpath "$here/../../plugins/examples")
wit=../../../wit
python=$venv/bin/python
work=$(mktemp -d "${TMPDIR:-/tmp}/casemate-languages.XXXXXX")
export PYTHONDONTWRITEBYTECODE=1

finish() {
  local status=$?
  trap - EXIT
  # The fake ends when its input does.
  if [ -n "${upstream[1]:-}" ]; then
    exec {upstream[1]}>&-
    wait "$upstream_pid" || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

passed=0
failed=0

# one WHAT COMMAND… : a check that is a command; what it printed is shown when it fails.
one() {
  local what=$1
  shift
  if "$@" > "$work/one.out" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' "$work/one.out"
  fi
}

# refused STATUS WORDS COMMAND… : the command ends with that status, and says the words.
refused() {
  local expected=$1 words=$2 status=0
  shift 2
  "$@" > "$work/refused.out" 2>&1 || status=$?
  cat "$work/refused.out"
  [ "$status" = "$expected" ] && grep -qF -- "$words" "$work/refused.out"
}

field() {
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

casemate() {
  "$bin/casemate" --dir "$work/operator" "$@"
}

# install FOLDER COMPONENT : pack, sign and install a plugin.
install() {
  local package approval
  package=$(casemate --format json pack --component "$2" --out "$work/packages" "$1" | field component)
  casemate sign "$package" --key "$work/publisher.pem"
  approval=$(casemate --format json verify "$package" | field approval)
  casemate install "$package" --yes --approve "$approval"
}

# reached NUMBER : that many requests have reached the upstream.
reached() {
  [ "$(wc -l < "$work/requests")" = "$1" ] || { cat "$work/requests"; return 1; }
}

# ── Both are built as their README says.
build_python() {
  (cd "$examples/python" && "$venv/bin/componentize-py" -q -d "$wit" -w plugin componentize app -o "$work/open.wasm")
  "$bin/casemate-close" "$work/open.wasm" wasi:sockets --out "$work/python.wasm"
}
build_javascript() {
  (cd "$examples/javascript" && PATH="$node/node_modules/.bin:$PATH" npm run --silent build -- --out "$work/javascript.wasm")
}
test_python() {
  (cd "$examples/python" && "$python" -m doctest indicators.py)
}
test_javascript() {
  (cd "$examples/javascript" && node --test)
}
one "Python: its own tests" test_python
one "Python: builds" build_python
one "JavaScript: its own tests" test_javascript
one "JavaScript: builds" build_javascript

# ── A publisher and an operator.
mkdir -m 700 "$work/operator"
: > "$work/requests"
coproc upstream { exec "$python" -u "$here/languages_upstream.py" "$work/requests" 2> "$work/upstream.log"; }
upstream_pid=$!
read -r -t 20 -u "${upstream[0]}" origin || { cat "$work/upstream.log" >&2; exit 1; }
fingerprint=$(casemate --format json key new "$work/publisher.pem" --no-passphrase | field fingerprint)
casemate trust add acme --key "$work/publisher.pem.pub" --fingerprint "$fingerprint" --environment dev > "$work/trust.log"
cat > "$work/operator/casemate.toml" <<CONFIG
environment = "dev"

[plugins.indicators]
upstream.hashlookup = { origin = "$origin", allow_private = ["127.0.0.1/32"] }

[plugins.epss]
upstream.epss = { origin = "$origin", allow_private = ["127.0.0.1/32"] }

[grants.languages]
principals = ["local"]
tools = ["indicators_*", "epss_scores"]
max_effect = "read"
budget = [{ calls = 1000, per = "1h" }]
CONFIG

one "Python: sockets that are not closed do not pack" \
  refused 3 'wasi:sockets/' casemate pack --component "$work/open.wasm" --out "$work/packages" "$examples/python"
one "Python: packs, signs and installs" install "$examples/python" "$work/python.wasm"
one "JavaScript: packs, signs and installs" install "$examples/javascript" "$work/javascript.wasm"

echo "── called through MCP"
status=0
timeout 300 "$python" "$here/languages_check.py" "$work/requests" -- "$bin/casemate" --dir "$work/operator" serve --log error \
  > "$work/check.log" 2>&1 < /dev/null || status=$?
grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$work/check.log" || true
read -r p _ f _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/check.log" | tail -n 1 || true) || { p=0 f=0; }
passed=$((passed + p)) failed=$((failed + f))
if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$p" = 0 ]; }; then
  failed=$((failed + 1))
  echo "FAIL  the client ended with status $status after $p checks"
fi

echo "── held to what was signed and configured"
hash='{"hash": "d41d8cd98f00b204e9800998ecf8427e"}'
requests=$(wc -l < "$work/requests")
one "Python: an MD5 is asked for" casemate call indicators_known_file "$hash"
one "and reaches the upstream" reached $((requests + 1))

# The same component under a manifest that allows less: the code would ask, and may not.
mkdir "$work/narrow"
sed -e 's/(md5|sha1|sha256)/sha256/' -e 's/^version = .*/version = "0.2.0"/' -e 's/^release = .*/release = 2/' \
  "$examples/python/plugin.toml" > "$work/narrow/plugin.toml"
one "Python: a narrower manifest installs" install "$work/narrow" "$work/python.wasm"
one "Python: what the manifest does not name is refused at the gate" \
  refused 2 'request' casemate call indicators_known_file "$hash"
one "and does not reach the upstream" reached $((requests + 1))

sed -i "s|^upstream.epss = .*|upstream.epss = { origin = \"$origin\" }|" "$work/operator/casemate.toml"
one "JavaScript: an address that is not allowed is refused" \
  refused 1 'address' casemate call epss_scores '{"cves": ["CVE-2021-44228"]}'
one "and does not reach the upstream" reached $((requests + 1))
one "the audit log of all of it verifies" casemate audit verify

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# Clients that the tests did not write, against a configured casemate and the VirusTotal fake: run.sh BIN VENV NODE
#
# BIN holds the programs of `make build`, VENV the packages of requirements.txt, beside it VENV-mcp1, VENV-fastmcp, VENV-mitmproxy, VENV-limacharlie and VENV-aws those of clients/*.txt,
# NODE those of package.json, in `languages` what builds the plugin in JavaScript, and in `oauth`
# those of oauth/package.json.
# Everything is set up as a publisher and an operator would, in a folder that is gone afterwards. The last line is the sum.
set -euo pipefail

if [ $# != 3 ]; then
  echo "usage: run.sh BIN VENV NODE" >&2
  exit 3
fi
bin=$(realpath "$1") venv=$(realpath "$2") node=$(realpath "$3")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
python=$venv/bin/python
work=$(mktemp -d "${TMPDIR:-/tmp}/casemate-interop.XXXXXX")
export PYTHONDONTWRITEBYTECODE=1

# What the programs of this run must never write down.
vt_key=interop-7b1d5ecure0key0that0must0not0leak0000000000000000000000000000
token=

serving=
finish() {
  local status=$?
  trap - EXIT
  if [ -n "$serving" ]; then
    kill "$serving" 2> "$work/kill.log" || true
    wait "$serving" || true
  fi
  # The fakes end when their input does.
  if [ -n "${upstreams[1]:-}" ]; then
    exec {upstreams[1]}>&-
    wait "$upstreams_pid" || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

passed=0
failed=0
logs=0

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

# many WHAT COMMAND… : a program of checks. Its lines are shown, its closing line is added up; a program that ends badly and
# counts no failure is one failure.
many() {
  local what=$1 status=0 log p f _
  shift
  log=$work/program-$((logs += 1)).log
  echo "── $what"
  timeout 900 "$@" 2>&1 < /dev/null | tee "$log" | grep -vE '^[0-9]+ passed, [0-9]+ failed$' || status=${PIPESTATUS[0]}
  read -r p _ f _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 || true) || { p=0 f=0; }
  passed=$((passed + p)) failed=$((failed + f))
  if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$p" = 0 ]; }; then
    failed=$((failed + 1))
    echo "FAIL  $what: ended with status $status after $p checks"
  fi
}

# field NAME : one member of the JSON object on standard input.
field() {
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

casemate() {
  "$bin/casemate" --dir "$work/operator" "$@"
}

# ── The fakes, on ports of their own.
export CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY=$vt_key
coproc upstreams { exec "$bin/casemate-upstreams" 2> "$work/upstreams.log"; }
upstreams_pid=$!
read -r -t 20 -u "${upstreams[0]}" origins || { cat "$work/upstreams.log" >&2; exit 1; }
unset CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY
origin=$(field virustotal <<< "$origins")

# ── A publisher packs and signs; an operator trusts, configures and installs.
mkdir -m 700 "$work/operator"
fingerprint=$(casemate --format json key new "$work/publisher.pem" --no-passphrase | field fingerprint)
package=$(casemate --format json pack "$here/../../plugins/virustotal" --out "$work/packages" | field component)
casemate sign "$package" --key "$work/publisher.pem"
casemate trust add casemate --key "$work/publisher.pem.pub" --fingerprint "$fingerprint" --environment dev
(umask 077 && printf '%s\n' "$vt_key" > "$work/operator/virustotal.key")
cat > "$work/operator/casemate.toml" <<CONFIG
environment = "dev"

[plugins.virustotal]
upstream.virustotal = { origin = "$origin", allow_private = ["127.0.0.1/32"] }
secret.api_key = { file = "virustotal.key" }
tools.submit_file.enabled = true

[grants.interop]
principals = ["local", "token:interop"]
tools = ["virustotal_*"]
max_effect = "write"
budget = [{ calls = 10_000, per = "1h" }]
CONFIG
approval=$(casemate --format json verify "$package" | field approval)
casemate install "$package" --yes --approve "$approval"
token=$(casemate --format json token new interop 2> "$work/token.log" | field token)

# ── The same server over HTTP; over stdio each client starts its own.
"$bin/casemate" --dir "$work/operator" serve --http 127.0.0.1:0 2> "$work/serve.log" &
serving=$!
url=
for _ in $(seq 100); do
  url=$(sed -n 's|.*serving \(http://[^ ]*\)$|\1|p' "$work/serve.log")
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "$url" ] || { cat "$work/serve.log" >&2; exit 1; }

stdio=("$bin/casemate" --dir "$work/operator" serve --log error)
inspector=(node "$here/inspector_check.mjs" --inspector "$node/node_modules/.bin/mcp-inspector")

many "the package, checked by sigstore-js" node "$here/sigstore_check.mjs" "$work/publisher.pem.pub" "$package" "$package.sigstore.json" "$node"
casemate --format json sbom virustotal > "$work/sbom.json"
many "cyclonedx-python-lib on what the plugin is made of" "$python" "$here/sbom_check.py" "$work/sbom.json" "$package" "$here/../../Cargo.lock"
many "vt-py against the VirusTotal fake" "$python" "$here/vt_py_check.py" "$origin" "$vt_key"
many "slack-sdk against the Slack fake" "$python" "$here/slack_check.py" "$(field slack <<< "$origins")" bot-token-of-the-fake
many "pywinrm against the WinRM fake" "$python" "$here/winrm_check.py" "$(field atomic <<< "$origins")" password-of-the-fake
many "splunk-sdk against the Splunk fake" "$python" "$here/splunk_check.py" "$(field siem-splunk <<< "$origins")" token-of-the-splunk-fake \
  password-of-the-splunk-fake
many "LimaCharlie's SDK against the LimaCharlie fake" "$venv-limacharlie/bin/python" "$here/limacharlie_check.py" "$(field limacharlie <<< "$origins")" \
  "$(field limacharlie-jwt <<< "$origins")" api-key-of-the-fake-organization 8cbe27f4-bfa1-4afb-ba19-138cd51389cd
many "Stratus Red Team against moto, which verifies signatures; boto3 looks at what is there" "$venv-aws/bin/python" "$here/stratus_check.py" "$bin/casemate"
many "Shodan's client against the Shodan fake" "$python" "$here/shodan_check.py" "$(field shodan <<< "$origins")" ShodanKeyOfTheFake0123456789abcd
many "the MCP Python SDK over HTTP with SSE, against the Burp fake" "$python" "$here/burp_check.py" "$(field burp <<< "$origins")"
many "mitmproxy itself, behind its plugin" "$python" "$here/mitmproxy_check.py" "$bin" "$venv-mitmproxy/bin/mitmweb"
many "every document of the Caido plugin, against Caido's own schema" node "$here/caido_check.mjs" "$node"
many "pymisp against the MISP fake" "$python" "$here/misp_check.py" "$(field misp <<< "$origins")" AuthKeyOfTheFake0123456789abcdefghijklmn
many "Azure's client against the Sentinel fakes" "$python" "$here/sentinel_check.py" "$(field siem-sentinel <<< "$origins")" \
  "$(field entra <<< "$origins")" client-secret-of-the-fake
many "Kusto's own parser on what is sent for KQL" node "$here/kusto_check.mjs" "$here/../../plugins/siem/tests/corpus/kql-sent.txt" "$node"
many "octokit against the GitHub fake" node "$here/octokit_check.mjs" "$(field github <<< "$origins")" fine-grained-token-of-the-fake "$node"
one "hackerone-api against the HackerOne fake" "$bin/casemate-hackerone-check" "$(field hackerone <<< "$origins")" casemate-tester \
  J8n2Qw5Tz7Lk4Vb9Xc3Rm6Yh1Gd0Fs8PaEuIoWqZxCv=
many "the MCP Python SDK over stdio (pipes)" "$python" "$here/mcp_py_check.py" -- "${stdio[@]}"
many "the MCP Inspector over stdio (the sockets that Node gives)" "${inspector[@]}" -- "${stdio[@]}"
export CASEMATE_TOKEN=$token
many "the MCP Python SDK over HTTP" "$python" "$here/mcp_py_check.py" --http "$url"
many "the MCP Inspector over HTTP" "${inspector[@]}" --http "$url"
unset CASEMATE_TOKEN

CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY=$vt_key many "oidc-provider as the authorization server, the MCP Python SDK, and attacks" \
  "$here/oauth.sh" "$bin" "$venv" "$node/oauth" "$package" "$work/publisher.pem.pub" "$origin"
many "a real registry, and clients of others" "$here/registry.sh" "$bin/casemate" "$venv"
many "the conformance suite, at both revisions" "$here/../conformance/run.sh" "$bin" "$venv" "$node"
many "every client, in every mode, over both transports" "$here/clients.sh" "$bin" "$venv" "$node"
many "plugins in Python and JavaScript" "$here/languages.sh" "$bin" "$venv" "$node/languages"

echo "── afterwards"
kill "$serving"
one "the HTTP server ends well when it is told to" wait "$serving"
serving=
one "the audit log of all of it verifies" casemate audit verify
# Status 1 of grep: it read everything and found nothing.
no_secret() {
  local status=0
  grep -rlF -e "$vt_key" -e "$token" "$work/operator/state" "$work"/*.log || status=$?
  [ "$status" = 1 ]
}
one "no key and no token in the host's state and logs" no_secret

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

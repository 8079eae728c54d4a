#!/usr/bin/env bash
# A real authorization server (oidc-provider), the MCP Python SDK as its client, and attacks: oauth.sh BIN VENV NODE PACKAGE KEY ORIGIN
#
# BIN holds `casemate`, VENV the packages of requirements.txt, NODE those of oauth/package.json. PACKAGE is the signed VirusTotal plugin, KEY its
# publisher's public key, ORIGIN the VirusTotal fake, whose key is read from CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY. The last line is the sum.
set -euo pipefail

if [ $# != 6 ]; then
  echo "usage: oauth.sh BIN VENV NODE PACKAGE KEY ORIGIN" >&2
  exit 3
fi
bin=$(realpath "$1") venv=$(realpath "$2") node=$(realpath "$3") package=$(realpath "$4") key=$(realpath "$5") origin=$6
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
python=$venv/bin/python
work=$(mktemp -d "${TMPDIR:-/tmp}/casemate-oauth.XXXXXX")
export PYTHONDONTWRITEBYTECODE=1

production=
staging=
finish() {
  local status=$?
  trap - EXIT
  for server in $production $staging; do
    kill "$server" 2> "$work/kill.log" || true
    wait "$server" || true
  done
  # The authorization server ends when its input does.
  if [ -n "${issuing[1]:-}" ]; then
    exec {issuing[1]}>&-
    wait "$issuing_pid" || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

field() {
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

coproc issuing { exec node "$here/oauth/server.mjs" "$node" 2> "$work/issuing.log"; }
issuing_pid=$!
read -r -t 20 -u "${issuing[0]}" ready || { cat "$work/issuing.log" >&2; exit 1; }
issuer=$(field issuer <<< "$ready")

# serving NAME ENVIRONMENT : a house of that environment, on a port of its own, which is its resource too. The process is in $started,
# the endpoint in $url.
serving() {
  local folder=$work/$1 environment=$2 port fingerprint approval
  port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  url=http://127.0.0.1:$port/mcp
  mkdir -m 700 "$folder"
  fingerprint=$("$bin/casemate" --format json key fingerprint "$key" | field fingerprint)
  "$bin/casemate" --dir "$folder" trust add casemate --key "$key" --fingerprint "$fingerprint" --environment "$environment"
  (umask 077 && printf '%s\n' "$CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY" > "$folder/virustotal.key")
  cat > "$folder/casemate.toml" << CONFIG
environment = "$environment"

[http.oauth]
issuer = "$issuer"
resource = "$url"
clock_skew = "1s"
step_up = { write = "casemate.write" }

[plugins.virustotal]
upstream.virustotal = { origin = "$origin", allow_private = ["127.0.0.1/32"] }
secret.api_key = { file = "virustotal.key" }
tools.submit_file.enabled = true

[grants.robots]
principals = ["oidc:client:robot-RS256", "oidc:client:robot-ES256", "oidc:client:robot-EdDSA", "oidc:client:robot-brief"]
tools = ["virustotal_*"]
max_effect = "write"
budget = [{ calls = 1000, per = "1h" }]
CONFIG
  approval=$("$bin/casemate" --dir "$folder" --format json verify "$package" | field approval)
  "$bin/casemate" --dir "$folder" install "$package" --yes --approve "$approval"
  "$bin/casemate" --dir "$folder" serve --http "127.0.0.1:$port" --log debug 2> "$work/$1.log" &
  started=$!
  for _ in $(seq 100); do
    ! grep -q 'serving http' "$work/$1.log" || return 0
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  exit 1
}

serving production dev
production=$started production_url=$url
serving staging stage
staging=$started
"$python" "$here/oauth_check.py" --issuer "$issuer" --url "$production_url" --staging "$url" --log "$work/production.log" --state "$work/production/state"

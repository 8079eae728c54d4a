# Sourced: a publisher and an operator with the fixture plugin installed, in a folder that is gone afterwards.
#
# Wants `bin` (the programs) and `python`. Gives `work`, `stdio` (the server as a command), and with `serve_http` also `url` and `token`.

conformance=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(mktemp -d "${TMPDIR:-/tmp}/casemate-conformance.XXXXXX")
# What runs beside the checks, each ended with the script.
beside=()

finish() {
  local status=$?
  trap - EXIT
  for pid in "${beside[@]}"; do
    kill "$pid" 2> /dev/null || true
    wait "$pid" || true
  done
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

casemate() {
  "$bin/casemate" --dir "$work/operator" "$@"
}

# field NAME : one member of the JSON object on standard input.
field() {
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# announced FILE PATTERN : the first group of PATTERN in FILE, once it stands there.
announced() {
  local found
  for _ in $(seq 100); do
    found=$(sed -nE "s/$2/\1/p" "$1" | head -n 1)
    if [ -n "$found" ]; then
      echo "$found"
      return
    fi
    sleep 0.1
  done
  cat "$1" >&2
  return 1
}

# install_fixtures : packs, signs, trusts, configures, installs.
install_fixtures() {
  local fingerprint package approval
  mkdir -m 700 "$work/operator"
  fingerprint=$(casemate --format json key new "$work/publisher.pem" --no-passphrase | field fingerprint)
  package=$(casemate --format json pack "$conformance/plugin" --out "$work/packages" 2> "$work/pack.log" | field component) || { cat "$work/pack.log" >&2; return 1; }
  casemate sign "$package" --key "$work/publisher.pem" 2> "$work/sign.log"
  casemate trust add casemate --key "$work/publisher.pem.pub" --fingerprint "$fingerprint" --environment dev > "$work/trust.log" 2>&1
  cat > "$work/operator/casemate.toml" <<'CONFIG'
environment = "dev"

# What the host itself may ask a person at the client: whether a call shall be made. A plugin asks nothing.
[plugins.test.tools]
input_required_result_elicitation.approval = "in-band"
input_required_result_capabilities.approval = "in-band"
input_required_result_request_state.approval = "in-band"
input_required_result_tampered_state.approval = "in-band"

[grants.conformance]
principals = ["local", "token:conformance"]
tools = ["test_*"]
max_effect = "read"
budget = [{ calls = 10_000, per = "1h" }]
CONFIG
  approval=$(casemate --format json verify "$package" | field approval)
  casemate install "$package" --yes --approve "$approval" > "$work/install.log" 2>&1 || { cat "$work/install.log" >&2; return 1; }
  stdio=("$bin/casemate" --dir "$work/operator" serve --log error)
}

# serve_http : the same over HTTP, to whoever has the token.
serve_http() {
  token=$(casemate --format json token new conformance 2> "$work/token.log" | field token)
  "$bin/casemate" --dir "$work/operator" serve --http 127.0.0.1:0 2> "$work/serve.log" &
  beside+=($!)
  url=$(announced "$work/serve.log" '.*serving (http:\/\/[^ ]*)$')
}

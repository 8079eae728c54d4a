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
  local fingerprint package operator
  mkdir -m 700 "$work/operator"
  "$python" "$conformance/granter.py" "$work/operator" > "$work/operator.log" &
  beside+=($!)
  operator=$(announced "$work/operator.log" '.* at (http:\/\/.*)')
  fingerprint=$(casemate --format json key new "$work/publisher.pem" --no-passphrase | field fingerprint)
  casemate trust add casemate --key "$work/publisher.pem.pub" --fingerprint "$fingerprint" --environment dev > "$work/trust.log" 2>&1
  cp "$conformance/plugin/src/pixel.png" "$work/operator/static.png"
  echo "This is the content of the static text resource." > "$work/operator/static.txt"
  echo '{"id":"123","templateTest":true,"data":"Data for ID: 123"}' > "$work/operator/template-123.json"
  echo "Nothing has changed." > "$work/operator/watched.txt"
  cat > "$work/operator/casemate.toml" <<CONFIG
environment = "dev"

# What the suite's plugin says while it runs, its caller hears.
[mcp]
log_lines = true

# What the host itself may ask a person at the client: whether a call shall be made. A plugin asks nothing.
[plugins.test.tools]
input_required_result_elicitation.approval = "in-band"
input_required_result_capabilities.approval = "in-band"
input_required_result_request_state.approval = "in-band"
input_required_result_tampered_state.approval = "in-band"
trigger_tool_change = { enabled = true, dry_run = false }
trigger_prompt_change = { enabled = true, dry_run = false }

# The operator of this house, who can be asked for another list: granter.py.
[plugins.test.upstream.operator]
origin = "$operator"
allow_private = ["127.0.0.1/32"]

# Resources at the suite's addresses.
[sources.static-text]
path = "static.txt"
description = "A text"
uri = "test://static-text"

[sources.static-binary]
path = "static.png"
description = "An image: one red pixel"
uri = "test://static-binary"
media_type = "image/png"

[sources.template]
path = "template-{id}.json"
description = "What is known of an id"
uri = "test://template/{id}/data"
media_type = "application/json"

[sources.watched]
path = "watched.txt"
description = "A text that changes"
uri = "test://watched-resource"

[grants.conformance]
principals = ["local", "token:conformance"]
tools = ["test_*"]
max_effect = "write"
sources = ["static-text", "static-binary", "template", "watched"]
budget = [{ calls = 10_000, per = "1h" }]
CONFIG
  for package in plugin extra; do
    install_fixture "$conformance/$package" || return 1
  done
  stdio=("$bin/casemate" --dir "$work/operator" serve --log error)
}

# install_fixture FOLDER : one of them.
install_fixture() {
  local package approval
  package=$(casemate --format json pack "$1" --out "$work/packages" 2> "$work/pack.log" | field component) || { cat "$work/pack.log" >&2; return 1; }
  casemate sign "$package" --key "$work/publisher.pem" 2> "$work/sign.log"
  approval=$(casemate --format json verify "$package" | field approval)
  casemate install "$package" --yes --approve "$approval" > "$work/install.log" 2>&1 || { cat "$work/install.log" >&2; return 1; }
}

# serve_http : the same over HTTP, to whoever has the token.
serve_http() {
  token=$(casemate --format json token new conformance 2> "$work/token.log" | field token)
  "$bin/casemate" --dir "$work/operator" serve --http 127.0.0.1:0 2> "$work/serve.log" &
  beside+=($!)
  echo $! > "$work/operator/serve.pid"
  url=$(announced "$work/serve.log" '.*serving (http:\/\/[^ ]*)$')
}

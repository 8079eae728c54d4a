#!/usr/bin/env bash
# The wrong arrows of ARCHITECTURE.md: a crate that names what it must not name fails the build here.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
# refuse CRATE NAME… : none of the names is anywhere in the crate's dependency tree.
refuse() {
  local crate=$1; shift
  local tree
  tree=$(cargo tree --locked -p "$crate" -e normal --prefix none | awk '{print $1}' | sort -u)
  for name in "$@"; do
    if grep -qx -- "$name" <<< "$tree"; then
      echo "arrows: $crate depends on $name, which ARCHITECTURE.md forbids" >&2
      failed=1
    fi
  done
}
refuse casemate-signing wasmtime wasmparser tokio reqwest rmcp
refuse casemate-policy wasmtime wasmparser tokio reqwest rmcp
refuse casemate-ledger wasmtime reqwest rmcp
refuse casemate-audit wasmtime reqwest rmcp
refuse casemate-sandbox rmcp clap
refuse casemate-registry wasmtime wasmparser rmcp clap
refuse casemate-oauth wasmtime wasmparser tokio reqwest rmcp clap
refuse casemate-plugin casemate-signing casemate-policy casemate-sandbox wasmtime

# Direct dependencies: only `sandbox` names wasmtime, only it and `registry` name reqwest, only `server` names rmcp and clap.
direct() { cargo tree --locked -p "$1" -e normal --depth 1 --prefix none | awk 'NR > 1 {print $1}' | sort -u; }
for crate in casemate-signing casemate-policy casemate-ledger casemate-audit casemate-oauth casemate; do
  if direct "$crate" | grep -qxE 'wasmtime|wasmtime-wasi|wasmtime-wasi-http|reqwest'; then
    echo "arrows: $crate names wasmtime or reqwest; only casemate-sandbox may, and casemate-registry the latter" >&2; failed=1
  fi
done

# `policy` is a function of its arguments.
if grep -rnE 'std::(fs|net|env|time::(SystemTime|Instant))' host/policy/src | grep -v 'std::net::\(IpAddr\|Ipv4Addr\|Ipv6Addr\|{\)' ; then
  echo "arrows: host/policy reads the world" >&2; failed=1
fi
# The host knows nothing of any particular plugin: no line of code names one. Comments and tests may, for an example.
for file in $(find host/*/src signing/src -name '*.rs' -not -path '*/tests/*' -not -name 'tests.rs'); do
  if awk '/^#\[cfg\(test\)\]/ { exit } { print FILENAME ":" FNR ": " $0 }' "$file" | grep -iE 'virustotal|caldera|hackerone|sentinelone|misp|shodan|sigma|slack|mitmproxy|limacharlie|siem-|caido|stratus|crowdsec|abuseipdb|burp' | grep -vE '^[^ ]+ *//'; then
    echo "arrows: the host names a plugin" >&2; failed=1
  fi
done
# Only a command plays exchanges: a call that is served gets the network. What of it is kept goes to the audit log alone.
if grep -rnE 'Transport::(Played|Kept)' host/server/src | grep -vE '^host/server/src/(rehearsal|command/record|pipeline/details)\.rs:'; then
  echo "arrows: a call that is not casemate test's, casemate record's or the audit log's is played or kept" >&2; failed=1
fi
exit "$failed"

#!/usr/bin/env bash
# A registry and clients that the tests did not write: registry.sh CASEMATE VENV
#
# CASEMATE is the program, VENV holds the packages of requirements.txt. The registry is Debian's `docker-registry` (Distribution) on
# loopback with a password; `skopeo` and PyPI's `oras` read what `casemate publish` wrote, and `casemate install` reads it back.
# What Debian has is installed if it is missing, and it is a failure if it cannot be. The last line is the sum.
set -euo pipefail

if [ $# != 2 ]; then
  echo "usage: registry.sh CASEMATE VENV" >&2
  exit 3
fi
program=$(realpath "$1") python=$(realpath "$2")/bin/python
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(mktemp -d "${TMPDIR:-/tmp}/casemate-registry.XXXXXX")
export PYTHONDONTWRITEBYTECODE=1

serving=
finish() {
  local status=$?
  trap - EXIT
  if [ -n "$serving" ]; then
    kill "$serving" 2> "$work/kill.log" || true
    wait "$serving" || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/debian.sh" docker-registry:docker-registry skopeo:skopeo htpasswd:apache2-utils

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

# refused WHAT WORDS COMMAND… : a check that a command fails, and says why.
refused() {
  local what=$1 words=$2
  shift 2
  refusal() { ! "$@" > "$work/refusal.out" 2>&1 && cat "$work/refusal.out" && grep -q -- "$words" "$work/refusal.out"; }
  one "$what" refusal "$@"
}

# field NAME : one member of the JSON object on standard input.
field() {
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# The operator; what the program says is kept, to look for the password in it.
casemate() {
  "$program" --dir "$work/operator" "$@" 2> >(tee -a "$work/said.log" >&2) | tee -a "$work/said.log"
}

# ── The registry, which wants a password. Where it listens is chosen by the system and asked for once.
password=interop-5d1c0password0that0must0not0leak
htpasswd -Bbn publisher "$password" > "$work/htpasswd"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
host=127.0.0.1:$port
cat > "$work/registry.yml" <<CONFIG
version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: $work/registry }, delete: { enabled: true } }
http: { addr: $host }
auth: { htpasswd: { realm: interop, path: $work/htpasswd } }
CONFIG
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
serving=$!
up() { "$python" -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)' 127.0.0.1 "$port" 2> "$work/up.log"; }
for _ in $(seq 100); do ! up || break; sleep 0.1; done
up || { cat "$work/registry.log" >&2; exit 1; }

mkdir -m 700 "$work/docker" "$work/nobody" "$work/operator"
printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$host" "$(printf 'publisher:%s' "$password" | base64 -w0)" > "$work/docker/config.json"
printf '{"auths":{}}\n' > "$work/nobody/config.json"
chmod 600 "$work"/*/config.json

# ── A publisher packs and signs; an operator trusts.
fingerprint=$(casemate --format json key new "$work/publisher.pem" --no-passphrase | field fingerprint)
package=$(casemate --format json pack "$here/../../plugins/virustotal" --out "$work/packages" | field component)
casemate sign "$package" --key "$work/publisher.pem"
casemate trust add casemate --key "$work/publisher.pem.pub" --fingerprint "$fingerprint" --environment dev
printf 'environment = "dev"\n' > "$work/operator/casemate.toml"
approval=$(casemate --format json verify "$package" | field approval)
at=oci://$host/acme/plugin:1.0.0

skopeo() {
  command skopeo --registries.d "$work/nobody" --insecure-policy "$@"
}
# `skopeo inspect` wants a container image; the manifest itself is what is hashed.
digest_of() {
  skopeo inspect --raw --authfile "$work/docker/config.json" --tls-verify=false "docker://$1" > "$work/manifest.json"
  echo "sha256:$(sha256sum "$work/manifest.json" | cut -d' ' -f1)"
}

echo "── publishing to Distribution"
publish() { DOCKER_CONFIG=$work/docker casemate publish "$at" "$package"; }
refused "a registry that wants a password gets no package without one" "docker login" \
  env DOCKER_CONFIG="$work/nobody" "$program" --dir "$work/operator" publish "$at" "$package"
one "a package is published" publish
before=$(digest_of "$host/acme/plugin:1.0.0")
one "it is published again" publish
again() { [ "$(digest_of "$host/acme/plugin:1.0.0")" = "$before" ]; }
one "and is the same image" again

echo "── clients that the tests did not write"
copied() {
  skopeo copy --src-authfile "$work/docker/config.json" --src-tls-verify=false "docker://$host/acme/plugin:1.0.0" "dir:$work/copy"
  cmp "$package" "$work/copy/$(sha256sum "$package" | cut -d' ' -f1)"
}
one "skopeo copies the component, byte for byte" copied
export ORAS_PASSWORD=$password
one "oras pulls the component, byte for byte" "$python" "$here/oras_check.py" "$host/acme/plugin:1.0.0" publisher "$package"
unset ORAS_PASSWORD
# A copy of the image alone leaves the signature behind.
move() {
  skopeo copy --all --authfile "$work/docker/config.json" --src-tls-verify=false --dest-tls-verify=false \
    "docker://$host/acme/plugin:$1" "docker://$host/acme/moved:$1"
}
one "skopeo moves the image to another repository" move 1.0.0
refused "which is not signed there" "not signed" \
  env DOCKER_CONFIG="$work/docker" "$program" --dir "$work/operator" install "oci://$host/acme/moved:1.0.0" --yes --approve "$approval"
one "skopeo moves the signature too" move "sha256-${before#sha256:}"

echo "── installing from Distribution"
install() { DOCKER_CONFIG=$work/docker casemate install "$1" --yes --approve "$approval"; }
# same FILE SUFFIX : the installed file is the published one.
same() {
  local installed
  installed=$(find "$work/operator" -name "*$2" -path '*/casemate/*')
  [ "$(wc -l <<< "$installed")" = 1 ] && cmp "$1" "$installed"
}
refused "a registry that wants a password gives no package without one" "docker login" \
  env DOCKER_CONFIG="$work/nobody" "$program" --dir "$work/operator" install "$at" --yes --approve "$approval"
refused "another package than was approved is not installed" "approve" \
  env DOCKER_CONFIG="$work/docker" "$program" --dir "$work/operator" install "$at" --yes --approve "sha256:$(printf '0%.0s' {1..64})"
one "a package is installed by its tag" install "$at"
one "its component is the published one" same "$package" .wasm
one "its signature is the published one" same "$package.sigstore.json" .wasm.sigstore.json
one "a package is installed by its digest" install "oci://$host/acme/plugin@$before"
one "a package is installed from where skopeo moved it" install "oci://$host/acme/moved:1.0.0"

echo "── afterwards"
# Status 1 of grep: it read everything and found nothing.
no_password() {
  local status=0
  grep -rlF -e "$password" -e "$(printf 'publisher:%s' "$password" | base64 -w0)" "$work/operator" "$work/said.log" "$work/refusal.out" || status=$?
  [ "$status" = 1 ]
}
one "no password in the host's state and in what it said" no_password

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

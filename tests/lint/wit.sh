#!/usr/bin/env bash
# The contract has one source, wit/: what the host vendors must be what the components in the tree were written against.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^package \(casemate:plugin@[0-9.]*\);$/\1/p' wit/*.wit | sort -u)
if [ "$(wc -l <<< "$version")" != 1 ]; then
  echo "wit: the files of wit/ name more than one package version: $version" >&2; exit 1
fi
grep -q "\"$version\"" host/sandbox/src/imports.rs || { echo "wit: host/sandbox serves another version than $version" >&2; exit 1; }

for file in wit/*.wit; do
  name=$(basename "$file" .wit)
  grep -qE "^(interface|world) ($name|plugin) \{" "$file" || { echo "wit: $file does not define the interface of its name" >&2; exit 1; }
done

# The vendored WASI packages are those of the wasmtime that Cargo.lock names, byte for byte.
source=$(cargo metadata --locked --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" | python3 -c '
import json, os, sys
print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "wasmtime-wasi-http"))')
diff -r wit/deps "$source/wit/deps" || { echo "wit: wit/deps is not what wasmtime-wasi-http vendors" >&2; exit 1; }

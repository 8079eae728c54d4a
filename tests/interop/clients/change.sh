#!/usr/bin/env bash
# Takes `test_slow` out of service, or puts it back, and tells every server of that folder: change.sh, the folder in CASEMATE_CHANGED.
set -euo pipefail
config=$CASEMATE_CHANGED/casemate.toml
line='slow.enabled = false'
if grep -qxF "$line" "$config"; then
  sed "/^$line\$/d" "$config" > "$config.new"
else
  sed "s/^\[plugins.test.tools\]\$/&\n$line/" "$config" > "$config.new"
fi
mv "$config.new" "$config"
for process in /proc/[0-9]*; do
  # Whoever else has the folder in its arguments, such as a client that starts a server, does not take the signal that well.
  if [ "$(basename "$(readlink "$process/exe" 2> /dev/null || true)")" = casemate ] && grep -qzxF -- "$CASEMATE_CHANGED" "$process/cmdline" 2> /dev/null; then
    kill -HUP "${process#/proc/}"
  fi
done

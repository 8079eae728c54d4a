#!/usr/bin/env bash
# The attack table names its tests: each exists, and each code in it is one that the program says.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
rows=$(grep -E '^\| ' docs/threat-model.md | grep -vE '^\| (attack|-)' || true)
if [ -z "$rows" ]; then
  echo "threats: docs/threat-model.md has no rows" >&2
  exit 1
fi
# words COLUMN : every word in backticks of a column, once.
words() { cut -d '|' -f "$1" <<< "$rows" | grep -oE '`[^`]+`' | tr -d '`' | sort -u; }
while read -r test; do
  if ! grep -rqE "fn $test\(" --include='*.rs' signing host tests; then
    echo "threats: there is no test \`$test\`" >&2
    failed=1
  fi
done < <(words 5)
while read -r code; do
  # Written as a word of its own, or at the head of a message.
  if ! grep -rqE "\"$code(\"|: )" --include='*.rs' signing/src host/*/src; then
    echo "threats: nothing says \`$code\`" >&2
    failed=1
  fi
done < <(words 4)
while read -r row; do
  if [ "$(cut -d '|' -f 5 <<< "$row" | grep -c '`')" = 0 ] || [ "$(cut -d '|' -f 4 <<< "$row" | grep -c '`')" = 0 ]; then
    echo "threats: a row without a code or a test:$(cut -d '|' -f 2 <<< "$row")" >&2
    failed=1
  fi
done <<< "$rows"
exit $failed

#!/usr/bin/env bash
# Every fuzz target, one after the other: run.sh SECONDS [TARGET…]
#
# FUZZ_DIR is the workspace that they are in: `fuzz`, or `fuzz/server`, which is built with the whole server.
#
# Without a sanitizer: there is no unsafe code in what is tested, and so the stable toolchain will do. A target begins with
# its seeds, and with what earlier runs found under `corpus`. The last line is the sum.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: run.sh SECONDS [TARGET…]}
shift
dir=${FUZZ_DIR:-fuzz}
# More than any document but a component may have in its first lines; longer inputs find little and cost much.
max_len=16384
# Ten times what the slowest input seen takes.
timeout=10

# Its own folder: other profile, other flags, and the main build's is left as it is.
export CARGO_TARGET_DIR=$PWD/$dir/target
# cargo-fuzz passes coverage flags that the stable compiler takes when asked.
export RUSTC_BOOTSTRAP=1

if [ $# = 0 ]; then
  mapfile -t targets < <(cd "$dir/fuzz_targets" && printf '%s\n' *.rs | sed 's/\.rs$//')
else
  targets=("$@")
fi
passed=0 failed=0
cargo fuzz build --fuzz-dir "$dir" --sanitizer none --release
for target in "${targets[@]}"; do
  mkdir -p "$dir/corpus/$target"
  log=$(mktemp)
  if cargo fuzz run --fuzz-dir "$dir" --sanitizer none --release "$target" "$dir/corpus/$target" "$dir/seeds/$target" -- \
    -max_total_time="$seconds" -max_len="$max_len" -timeout="$timeout" -rss_limit_mb=2048 -print_final_stats=1 > "$log" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    failed=$((failed + 1))
    echo "FAIL  $target"
    tail -n 40 "$log" | sed 's/^/      /'
  fi
  rm -f "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# Every fuzz target, as many at a time as there are cores: run.sh SECONDS [TARGET…]
#
# FUZZ_DIR is the workspace that they are in: `fuzz`, or `fuzz/server`, which is built with the whole server. FUZZ_FLAGS are more flags
# for cargo: targets that are not built with them are left out.
#
# Without a sanitizer: there is no unsafe code in what is tested, and so the stable toolchain will do. A target begins with
# its seeds, and with what earlier runs found under `corpus`; what breaks it is left under `artifacts`. The last line is the sum.
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
# What libFuzzer steers by, as cargo-fuzz has it. The target is named, so that what only builds is not instrumented.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS=$coverage cargo build --locked --release --manifest-path "$dir/Cargo.toml" --target "$host" --bins ${FUZZ_FLAGS:-}

if [ $# = 0 ]; then
  mapfile -t targets < <(cd "$dir/fuzz_targets" && printf '%s\n' *.rs | sed 's/\.rs$//')
  for at in "${!targets[@]}"; do
    [ -x "$CARGO_TARGET_DIR/$host/release/${targets[at]}" ] || { echo "left out: ${targets[at]}" && unset "targets[at]"; }
  done
else
  targets=("$@")
fi

# one TARGET : run it, and say how it went.
one() {
  local target=$1 log
  log=$(mktemp)
  mkdir -p "$dir/corpus/$target" "$dir/artifacts/$target"
  if "$CARGO_TARGET_DIR/$host/release/$target" -artifact_prefix="$dir/artifacts/$target/" -max_total_time="$seconds" -max_len="$max_len" \
    -timeout="$timeout" -rss_limit_mb=2048 -print_final_stats=1 "$dir/corpus/$target" "$dir/seeds/$target" > "$log" 2>&1; then
    echo "ok    $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    echo "FAIL  $target"
    tail -n 40 "$log" | sed 's/^/      /'
    return 1
  fi
  rm -f "$log"
}

running=()
passed=0 failed=0
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
  one "$target" &
  running+=($!)
done
for pid in "${running[@]}"; do
  if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# Fuzz targets, all or those named, each for a given time, two at once; what is found stays in build/fuzz/found/.
# usage: tests/fuzz/run.sh [SECONDS] [TARGET...]      (default: 60 seconds of each)
set -euo pipefail
cd "$(dirname "$0")/../.."
export seconds=${1:-60} found=build/fuzz/found
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(cd tests/fuzz && printf '%s\n' *_fuzz.cpp | sed 's/_fuzz\.cpp$//')
fi
cmake --preset fuzz >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target "${targets[@]/%/_fuzz}"
mkdir -p "$found"

fuzz() {
    local name=$1 corpus=build/fuzz/corpus/$1 log=$found/$1.log
    mkdir -p "$corpus"
    # What is new goes into the first folder; the committed corpus is only read.
    if build/fuzz/bin/"$name"_fuzz -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/$name-" "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        printf '%-12s passed  executions %s, %s\n' "$name" "$(sed -n 's/.*number_of_executed_units: *//p' "$log")" \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -1)"
    else
        printf '%-12s FAILED  %s\n' "$name" "$log"
        return 1
    fi
}
export -f fuzz
printf '%s\0' "${targets[@]}" | xargs -0 -n1 -P2 bash -c 'fuzz "$1"' fuzz

#!/usr/bin/env bash
# Measures a release build against what a centre would take instead, in one run on one machine:
#   tests/bench/run.sh [--out DIR] [--only NAME,...] [--quick] ...     (--help tells the rest)
# DIR/results.json has every figure with machine and commit, DIR/results.txt the table. docs/BENCHMARKS.md has a run of ours.
set -euo pipefail
cd "$(dirname "$0")/../.."
export XINFU_BIN=${XINFU_BIN:-$PWD/build/release/bin} PYTHONDONTWRITEBYTECODE=1
[ -x "$XINFU_BIN/xinfu" ] || { echo "bench: no programs in $XINFU_BIN: build release first, or set XINFU_BIN" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/var/tmp}/xinfu-bench.XXXXXX")
chmod 755 "$work"  # PostgreSQL runs as a user of its own
trap 'rm -rf "$work"' EXIT
(cd tests/bench/load && GO111MODULE=off GOFLAGS= GOCACHE="${GOCACHE:-$work/go}" go build -o "$work/load" .)
python3 -m tests.bench.bench --work "$work" "$@"

#!/usr/bin/env bash
# Kills and power cuts of real nodes under load, in numbers that find what the few rounds of every run miss; release build.
# usage: tests/faults/run.sh [ROUNDS]      (default: 200 kills; power cuts are three for ten kills)
set -euo pipefail
cd "$(dirname "$0")/../.."
export XINFU_KILL_ROUNDS=${1:-200} XINFU_BIN=$PWD/build/release/bin PYTHONDONTWRITEBYTECODE=1
export XINFU_POWER_CUT_ROUNDS=$((XINFU_KILL_ROUNDS * 3 / 10))
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)"
python3 -m unittest -v tests.integration.test_kills tests.integration.test_power_cut

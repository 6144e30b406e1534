#!/usr/bin/env bash
# The gates that are not clean yet and therefore not in run.sh: clang's reading of every file, and the sanitizers.
# They belong there as soon as they pass. Run tests/run.sh first: this reads its build.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s (%(%H:%M:%S)T)\n' "$*" -1; }
export CTEST_OUTPUT_ON_FAILURE=1
jobs=$(nproc)

step "second compiler: clang reads every file"
python3 tests/second_compiler.py build/release

step "sanitizers: evidence and storage under address and undefined-behaviour sanitizers"
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize -j "$jobs" --target crypto_test storage_test cms_reader_corpus
ctest --test-dir build/sanitize -j "$jobs" -R '^(crypto_test|storage_test|cms_reader_corpus)$'


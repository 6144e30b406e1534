#!/usr/bin/env bash
# Every quality gate, in the order in which a mistake is cheapest: format, structure, build, unit, integration
# with the real processes, a second compiler, and the parts that hold evidence again under sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%(%H:%M:%S)T)\n' "$*" -1; }
export CTEST_OUTPUT_ON_FAILURE=1
jobs=$(nproc)

step "dependencies"
bash packaging/dependencies.sh

step "format"
formatter=$(command -v clang-format-14 || command -v clang-format-19)
git ls-files -z '*.cpp' '*.hpp' | xargs -0 "$formatter" --dry-run --Werror

step "structure"
python3 tests/architecture/check.py

step "build: g++, release"
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs"

step "second compiler: clang reads every file"
python3 tests/second_compiler.py build/release

step "sanitizers: evidence and storage under address and undefined-behaviour sanitizers"
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize -j "$jobs" --target crypto_test storage_test cms_reader_corpus
ctest --test-dir build/sanitize -j "$jobs" -R '^(crypto_test|storage_test|cms_reader_corpus)$'

step "unit, fault, corpus and integration tests"
ctest --test-dir build/release -j "$jobs"

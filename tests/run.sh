#!/usr/bin/env bash
# Every quality gate, in the order in which a mistake is cheapest: format, structure, build, unit, integration
# with the real processes. tests/deep.sh has the second compiler and the sanitizers; it is not yet clean.
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

step "unit, fault, corpus and integration tests"
ctest --test-dir build/release -j "$jobs"

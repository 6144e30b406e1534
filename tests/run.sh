#!/usr/bin/env bash
# Every quality gate, in the order in which a mistake is cheapest: format, structure, build, tests (unit, faults, corpora,
# integration with the real processes), and all of them again as the second compiler builds them, under the address and
# undefined-behaviour sanitizers. Slower suites stand beside this: docs/CONTRIBUTING.md.
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

step "tests"
ctest --test-dir build/release --no-tests=error -j "$jobs"

step "build: clang, address and undefined-behaviour sanitizers"
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize -j "$jobs"

step "tests under the sanitizers"
ctest --test-dir build/sanitize --no-tests=error -j "$jobs" -LE architecture

step "passed"

#!/usr/bin/env bash
# The units on a real Debian with systemd as its first process: installed, started, killed, hung, cut off, stopped. As root,
# after a release build; the first time it makes a Debian tree, which is kept outside the checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHONDONTWRITEBYTECODE=1 exec python3 -m unittest -v "${1:-tests.systemd.test_node}"

#!/usr/bin/env bash
# Installs the peers that the measurements compare with, all of them Debian's: only tests/bench/run.sh wants them.
# Nothing is started: the measurements start what they need, in a directory of their own.
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "bench: run as root once to install the peers" >&2; exit 1; }
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then  # asked by every package before it starts a service
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -y -q --no-install-recommends postgresql nginx systemd-journal-remote golang-go slowhttptest curl openssl python3 >/dev/null

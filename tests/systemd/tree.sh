#!/usr/bin/env bash
# A bare Debian 12 with systemd and the libraries the package depends on, made once with debootstrap from the mirror this
# machine's apt uses, and kept outside the checkout. Prints its path. Needs root.
# usage: tree.sh BUILD_DIRECTORY
set -euo pipefail
cache=${XINFU_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xinfu}
build=${1:?the build directory}
packages=systemd,systemd-sysv,dbus,curl,openssl,ca-certificates,procps,iproute2
# What the programs were linked with.
libraries=$(ldd "$build"/bin/xinfu "$build"/bin/xinfud "$build"/bin/xinfu-{gateway,inspector,vault,courier} | awk '$3 ~ /^\// {print $3}' |
  sort -u | while read -r file; do
    dpkg -S "$file" 2>/dev/null || dpkg -S "/usr$file" 2>/dev/null || dpkg -S "$(readlink -f "$file")"
  done | cut -d: -f1 | sort -u | paste -sd,)
packages+=,$libraries
key=$(printf '%s' "$packages" | sha256sum | cut -c1-16)
tree=$cache/systemd-tree-$key
if [ ! -e "$tree.complete" ]; then
  if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends debootstrap systemd-container >&2
  fi
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" {print $1; exit}')
  rm -rf "$tree"
  debootstrap --variant=minbase --include="$packages" bookworm "$tree" "$mirror" >"$tree.log" 2>&1 ||
    { tail -n 20 "$tree.log" >&2; exit 1; }
  touch "$tree.complete"
fi
printf '%s\n' "$tree"

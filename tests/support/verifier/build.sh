#!/usr/bin/env bash
# Builds one of the programs here from Debian's golang-golang-x-mod-dev, without network: build.sh OUTPUT [PROGRAM]
set -euo pipefail
out=$(realpath -m "${1:?usage: build.sh OUTPUT [PROGRAM]}")
cd "$(dirname "$0")"
cache=$(mktemp -d)
trap 'chmod -R u+w "$cache"; rm -rf "$cache"' EXIT
GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE="${GOCACHE:-$cache}" go build -o "$out" "${2:-verifier}.go"

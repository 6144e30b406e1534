#!/usr/bin/env bash
# Installs what Xinfu is built from, on Debian 12 or 13, and prints nothing it did not do.
#
# Debian 12 has no Botan 3, and Debian 13's main archive has a release with a client-certificate
# bypass (CVE-2026-34582). So Botan comes from Debian 13's security suite: as a package on Debian 13,
# and built from its source package on Debian 12. The source is fetched with apt from the mirror this
# machine already uses; apt checks the archive's signature.
#
# The built library lives outside the checkout, in ${XINFU_CACHE:-~/.cache/xinfu}; a second run finds
# it and takes no time.
set -euo pipefail

quiet=${XINFU_DEPENDENCIES_QUIET:-}
say() { [ -n "$quiet" ] || printf '%s\n' "$*" >&2; }

. /etc/os-release
cache=${XINFU_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xinfu}
mkdir -p "$cache"

packages=(
  build-essential g++ cmake ninja-build ccache pkg-config python3 dpkg-dev
  liblmdb-dev libprotobuf-dev protobuf-compiler libyaml-cpp-dev libsystemd-dev libseccomp-dev
  libicu-dev libcli11-dev libre2-dev libcsv-dev libexpat1-dev libzip-dev libzxcvbn-dev
  libgtest-dev libbenchmark-dev
  curl openssl ca-certificates golang-go golang-golang-x-mod-dev python3-openpyxl
  default-jdk-headless libbcpkix-java
)
case "$VERSION_ID" in
  12) packages+=(libboost1.81-dev clang clang-format-14 libclang-rt-14-dev) ;;
  13) packages+=(libboost-dev clang clang-format-19 libclang-rt-19-dev libbotan-3-dev) ;;
  *) say "dependencies: Debian 12 and 13 are supported, this is ${PRETTY_NAME}"; exit 1 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    say "dependencies: run as root once to install: ${missing[*]}"
    exit 1
  fi
  say "dependencies: installing ${#missing[@]} Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >"$cache/apt.log" 2>&1 || { tail -n 20 "$cache/apt.log" >&2; exit 1; }
  apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$cache/apt.log" 2>&1 ||
    { tail -n 20 "$cache/apt.log" >&2; exit 1; }
fi

botan_minimum=3.12.0
if [ "$VERSION_ID" = 13 ]; then
  found=$(pkg-config --modversion botan-3)
  if dpkg --compare-versions "$found" lt "$botan_minimum"; then
    say "dependencies: Botan $found is installed; $botan_minimum or newer is required (enable Debian's security suite)"
    exit 1
  fi
  exit 0
fi

# What the product uses of Botan, and nothing else.
modules=(
  aead aes aes_ni aes_vaes argon2 asn1 auto_rng base64 certstor_flatfile ecdh ecdsa ed25519 eme_oaep emsa_pkcs1
  emsa_pssr gcm ghash_cpu hash hex hkdf hmac kdf2 nist_keywrap pbes2 pbkdf2 pcurves_secp256r1
  pcurves_secp384r1 pcurves_secp521r1 pcurves_sm2p256v1 pem pk_pad pkcs8 pubkey rfc3394 rsa sha1 sha2_32 sha2_32_simd
  sha2_32_avx2 sha2_32_x86 sha2_64 sha2_64_avx2 sha2_64_avx512 sha2_64_x86 sm2 sm3 sm4 system_rng tls tls12 tls13 x25519 x509
)
# The cache key changes with the module list, so that an old build is never taken for a new one.
key=$(printf '%s\n' "$botan_minimum" "${modules[@]}" | sha256sum | cut -c1-16)
prefix=$cache/botan-$key
if [ -e "$prefix/complete" ]; then
  ln -sfn "$prefix" "$cache/botan"
  exit 0
fi

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The security mirror as this machine knows it: whatever apt uses for the running release's own
# security suite serves the next release's as well.
site=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk '$2 ~ /-security$/ {print $1; exit}')
if [ -z "$site" ]; then
  main=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(RELEASE)' 'Created-By: Packages' |
    awk -v r="$VERSION_CODENAME" '$2=="Debian" && $3==r {print $1; exit}')
  [ -n "$main" ] || { say "dependencies: apt knows no Debian mirror; run apt-get update"; exit 1; }
  site=${main%/}; site=${site%/debian}/debian-security
fi
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/source"
echo "deb-src [signed-by=$keyring] $site trixie-security main" >"$work/apt/sources.list"
private=(
  -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache::Archives="$work/apt/archives"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
)
say "dependencies: fetching the Botan 3 source package of Debian 13's security suite"
apt-get "${private[@]}" update -q >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
(cd "$work/source" && apt-get "${private[@]}" source -q botan3) >>"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
source=$(find "$work/source" -mindepth 1 -maxdepth 1 -type d -name 'botan3-*')
version=$(cd "$source" && dpkg-parsechangelog -S Version)
if dpkg --compare-versions "$version" lt "$botan_minimum"; then
  say "dependencies: the archive has Botan $version; $botan_minimum or newer is required"
  exit 1
fi
say "dependencies: building Botan $version (about three minutes, once)"
(
  cd "$source"
  available=$(python3 configure.py --list-modules)
  wanted=()
  for module in "${modules[@]}"; do
    grep -qx "$module" <<<"$available" && wanted+=("$module")
  done
  # Position-independent static library: the programs carry it, so that no loader path is needed
  # behind the walls.
  python3 configure.py --prefix="$prefix.new" --minimized-build --amalgamation \
    --enable-modules="$(IFS=,; echo "${wanted[*]}")" \
    --build-targets=static --without-documentation --no-install-python-module \
    --extra-cxxflags='-fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2'
  make -j"$(nproc)" libs
  make install
) >>"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
rm -rf "$prefix"
mv "$prefix.new" "$prefix"
# Recorded paths inside name the temporary prefix; only headers and the archive are used.
touch "$prefix/complete"
ln -sfn "$prefix" "$cache/botan"
say "dependencies: Botan $version is in $prefix"

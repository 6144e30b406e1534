#!/usr/bin/env bash
# Makes what Bouncy Castle emits, and the envelopes, anew, with the keys and the content that make.sh made.
set -euo pipefail
cd "$(dirname "$0")"
classpath=/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -cp $classpath -d "$classes" ../../support/bouncycastle/Forms.java
bc() { java -cp "$classpath:$classes" Forms "$@"; }
sign() { local out=$1 signer=$2; shift 2; bc sign "$signer.pem" "$signer.key" small.csv "$out" "$@"; }

sign bc-default.der p256
sign bc-der.der p256 der
sign bc-keyid.der p256 keyid
sign bc-nocerts.der p256 nocerts
sign bc-detached.der p256 detached
sign bc-p384.der p384 sha384
sign bc-rsa.der rsa
sign bc-pss.der rsa pss
sign bc-ed25519.der ed25519
sign bc-ed25519-der.der ed25519 der
bc sign p256.pem p256.key content.csv bc-stream.der stream

# The commonest mistake: signed without -binary, and the file put in as it was.
openssl cms -sign -in small.csv -signer p256.pem -inkey p256.key -md sha256 -outform DER -out converted.der
python3 make_converted.py

envelope() { local out=$1; shift; openssl cms -encrypt -binary -in der.der -outform DER -out "$out" "$@"; }
envelope envelope-ec.der -aes-256-gcm -recip p256.pem -keyopt ecdh_kdf_md:sha256
envelope envelope-stream.der -aes-256-gcm -stream -in stream.der -recip p256.pem -keyopt ecdh_kdf_md:sha256
envelope envelope-keyid.der -aes-256-gcm -keyid -recip p256.pem -keyopt ecdh_kdf_md:sha256
envelope envelope-rsa.der -aes-256-gcm -recip rsa.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256
envelope envelope-sha1kdf.der -aes-256-gcm -recip p256.pem
envelope envelope-v15.der -aes-256-gcm -recip rsa.pem
envelope envelope-oaep1.der -aes-256-gcm -recip rsa.pem -keyopt rsa_padding_mode:oaep
envelope envelope-cbc.der -aes-256-cbc -recip p256.pem -keyopt ecdh_kdf_md:sha256
envelope envelope-aes128.der -aes-128-gcm -recip p256.pem -keyopt ecdh_kdf_md:sha256
envelope envelope-two.der -aes-256-gcm -recip p256.pem -keyopt ecdh_kdf_md:sha256 -recip rsa.pem \
  -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256
bc envelope p256.pem der.der bc-envelope-ec.der
bc envelope p256.pem der.der bc-envelope-ec-der.der der
bc envelope rsa.pem bc-default.der bc-envelope-rsa.der
python3 make_forgery.py && rm rsa3.csr rsa3.key

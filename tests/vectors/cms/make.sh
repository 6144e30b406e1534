#!/usr/bin/env bash
# Makes the vectors anew. Signatures and keys differ each time; what the tests say about them does not.
set -euo pipefail
cd "$(dirname "$0")"
days=36500

subject() { printf '/C=CN/O=%s/organizationIdentifier=%s/CN=%s' "$1" "$2" "$3"; }

{
  echo 'CF_XDR_MC,CF_WSH,CF_JDRQ'
  for n in $(seq 1 400); do printf '信符测试单位%03d,测罚字〔2026〕第%d号,2026-01-%02d\n' "$n" "$n" $((n % 28 + 1)); done
} >content.csv
head -n 4 content.csv >small.csv

# An authority, and signers of each kind.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days -keyout authority.key -out authority.pem \
  -utf8 -subj '/C=CN/O=信符测试/CN=Test authority' \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
issue() {  # name, subject, then options of genpkey
  local name=$1 subject=$2
  shift 2
  openssl genpkey "$@" -out "$name.key" 2>/dev/null
  openssl req -new -key "$name.key" -utf8 -subj "$subject" -out "$name.csr"
  printf '%s\n' 'basicConstraints=CA:FALSE' 'keyUsage=critical,digitalSignature' 'extendedKeyUsage=clientAuth' \
    'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' >extensions.cnf
  openssl x509 -req -in "$name.csr" -CA authority.pem -CAkey authority.key -days $days -extfile extensions.cnf \
    -out "$name.pem" 2>/dev/null
  rm extensions.cnf
}
issue p256 "$(subject 信符测试市市场监管局 11219900MB1A000015 'Department sender')" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
issue p384 "$(subject 信符测试市生态环境局 11219900MB1A000023 'P-384 sender')" -algorithm EC -pkeyopt ec_paramgen_curve:P-384
issue rsa "$(subject 信符测试市税务局 11219900MB1A000031 'RSA sender')" -algorithm RSA -pkeyopt rsa_keygen_bits:2048
issue ed25519 "$(subject 信符测试市公安局 11219900MB1A00004X 'Ed25519 sender')" -algorithm ED25519
issue person '/C=CN/CN=Test person/serialNumber=219900200001010012' -algorithm EC -pkeyopt ec_paramgen_curve:P-256
openssl x509 -in p256.pem -outform DER -out p256.crt
openssl pkcs8 -topk8 -in p256.key -passout pass:test -out p256.encrypted.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.key 2>/dev/null

sign() {  # output, signer, options
  local out=$1 signer=$2
  shift 2
  openssl cms -sign -binary -nodetach -in small.csv -signer "$signer.pem" -inkey "$signer.key" -outform DER -out "$out" "$@"
}
sign der.der p256 -md sha256
sign stream.der p256 -md sha256 -in content.csv -stream
sign cades.der p256 -md sha256 -cades
sign keyid.der p256 -md sha256 -keyid
sign nocerts.der p256 -md sha256 -nocerts
sign chain.der p256 -md sha256 -certfile authority.pem
sign noattr.der p256 -md sha256 -noattr
sign sha1.der p256 -md sha1
sign sha512.der p256 -md sha512
sign type.der p256 -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4
sign p384.der p384 -md sha384
sign rsa.der rsa -md sha256
sign pss.der rsa -md sha256 -keyopt rsa_padding_mode:pss
sign pss32.der rsa -md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest
openssl cms -sign -binary -in small.csv -signer p256.pem -inkey p256.key -md sha256 -outform DER -out detached.der
openssl cms -sign -binary -nodetach -in small.csv -md sha256 -outform DER -out two.der \
  -signer p256.pem -inkey p256.key -signer rsa.pem -inkey rsa.key
openssl cms -sign -binary -nodetach -in small.csv -signer p256.pem -inkey p256.key -md sha256 -out mail.txt
openssl cms -sign -binary -nodetach -in small.csv -signer p256.pem -inkey p256.key -md sha256 -outform PEM -out pem.txt
openssl cms -data_create -in small.csv -outform DER -out data.der

# Revocation lists: one serial revoked; none.
rm -rf ca && mkdir ca && touch ca/index.txt && echo 01 >ca/crlnumber
printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=ca/index.txt' 'crlnumber=ca/crlnumber' 'default_md=sha256' \
  'default_crl_days=36500' >ca/openssl.cnf
openssl ca -config ca/openssl.cnf -gencrl -keyfile authority.key -cert authority.pem -out empty.crl.pem 2>/dev/null
openssl ca -config ca/openssl.cnf -revoke p384.pem -keyfile authority.key -cert authority.pem 2>/dev/null
openssl ca -config ca/openssl.cnf -gencrl -keyfile authority.key -cert authority.pem -md sha384 -out revoked.crl.pem 2>/dev/null
openssl crl -in revoked.crl.pem -outform DER -out revoked.crl
openssl x509 -in p384.pem -noout -serial | cut -d= -f2 | tr 'A-F' 'a-f' >revoked.serial
rm -rf ca

# A client's TLS 1.3 CertificateVerify octets, signed.
{ printf '%64s' ''; printf 'TLS 1.3, client CertificateVerify\0'; head -c 32 /dev/zero; } >client13.bin
openssl dgst -sha256 -sign p256.key -out client13.p256.sig client13.bin
openssl dgst -sha256 -sign rsa.key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -out client13.rsa.sig client13.bin

python3 make.py
openssl cms -verify -binary -inform DER -in stripped.der -CAfile authority.pem -purpose any -out /dev/null

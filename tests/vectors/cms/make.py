"""Puts together the two messages that OpenSSL 3.0 does not make itself."""
import hashlib
import subprocess
import tempfile

from make_parts import children, encode, inside


def signed_data(version, digests, type_and_content, certificates, signer):
    body = encode(0x30, version, digests, type_and_content, certificates, encode(0x31, signer))
    return encode(0x30, bytes.fromhex("06092a864886f70d010702"), encode(0xA0, body))


def parts(name):
    """version, digestAlgorithms, encapContentInfo, certificates, the one SignerInfo's children."""
    message = open(name, "rb").read()
    body = children(inside(inside(children(inside(message))[1])))
    return body[0], body[1], body[2], body[3], children(inside(inside(body[4])))


# The forgery: the signed attributes become the content, and the attributes are left out.
version, digests, content, certificates, signer = parts("der.der")
attributes = b"\x31" + signer[3][1:]
data_type = children(inside(content))[0]
forged = encode(0x30, data_type, encode(0xA0, encode(0x04, attributes)))
open("stripped.der", "wb").write(
    signed_data(version, digests, forged, certificates, encode(0x30, *signer[:3], *signer[4:])))

# Ed25519 with SHA-512 (RFC 8419): signature by `openssl pkeyutl` over the attributes.
small = open("small.csv", "rb").read()
sha512 = encode(0x30, bytes.fromhex("0609608648016503040203"))
ed25519 = encode(0x30, bytes.fromhex("06032b6570"))
pem = subprocess.run(["openssl", "x509", "-in", "ed25519.pem", "-outform", "DER"], check=True, capture_output=True).stdout
certificate = children(inside(pem))[0]
fields = children(inside(certificate))
identifier = encode(0x30, fields[3], fields[1])
content_type = encode(0x30, bytes.fromhex("06092a864886f70d010903"), encode(0x31, bytes.fromhex("06092a864886f70d010701")))
digest = encode(0x30, bytes.fromhex("06092a864886f70d010904"),
                encode(0x31, encode(0x04, hashlib.sha512(small).digest())))
protect = encode(0x30, bytes.fromhex("06092a864886f70d010934"),
                 encode(0x31, encode(0x30, sha512, b"\xa1" + ed25519[1:])))
attributes = encode(0x31, *sorted([content_type, digest, protect]))
with tempfile.NamedTemporaryFile() as file:
    file.write(attributes)
    file.flush()
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "ed25519.key", "-in", file.name],
                               check=True, capture_output=True).stdout
info = encode(0x30, b"\x02\x01\x01", identifier, sha512, b"\xa0" + attributes[1:], ed25519, encode(0x04, signature))
content = encode(0x30, data_type, encode(0xA0, encode(0x04, small)))
open("ed25519.der", "wb").write(
    signed_data(b"\x02\x01\x01", encode(0x31, sha512), content, encode(0xA0, pem), info))

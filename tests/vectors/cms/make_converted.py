"""Puts the unconverted file into a detached signature that OpenSSL made over its converted copy."""
from make_parts import children, encode, inside

body = children(inside(inside(children(inside(open("converted.der", "rb").read()))[1])))
data_type = children(inside(body[2]))[0]
content = encode(0x30, data_type, encode(0xA0, encode(0x04, open("small.csv", "rb").read())))
whole = encode(0x30, body[0], body[1], content, *body[3:])
open("converted.der", "wb").write(encode(0x30, bytes.fromhex("06092a864886f70d010702"), encode(0xA0, whole)))

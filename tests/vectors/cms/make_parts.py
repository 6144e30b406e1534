"""Reading and writing DER, for the scripts that put messages together."""


def element(data, at=0):
    """Tag, start of contents, end, of the element at an offset."""
    length, start = data[at + 1], at + 2
    if length >= 0x80:
        octets = length & 0x7F
        length = int.from_bytes(data[start:start + octets], "big")
        start += octets
    return data[at], start, start + length


def children(data):
    at, out = 0, []
    while at < len(data):
        _, _, end = element(data, at)
        out.append(data[at:end])
        at = end
    return out


def inside(data):
    _, start, end = element(data)
    return data[start:end]


def encode(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body

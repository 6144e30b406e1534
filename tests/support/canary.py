"""A person that nobody is, for tests that look for what leaks."""
import base64

from tests.support.records import identity_number

NAME = "卞某鸮某骉"  # characters that come together in nobody's name
NUMBER = identity_number("219900190001015", 7)


def forms(text):
    """The ways in which a text may stand in a stream of bytes without being protected."""
    plain = {text.encode(encoding) for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")}
    found = set(plain)
    for octets in plain:
        found |= {octets.hex().encode(), octets.hex().upper().encode()}
        for shift in range(3):  # base64 of it, wherever it begins; without the ends, which hang on what is beside it
            coded = base64.b64encode(b"\0" * shift + octets)
            found.add(coded[-(-shift * 4 // 3):len(coded) - 4])
    found.add("".join(f"\\u{ord(c):04x}" for c in text).encode())
    return found


NEEDLES = forms(NAME) | forms(NUMBER)


def readable(octets):
    return [needle for needle in NEEDLES if needle in octets]


def canary_row(demo, **changes):
    """A natural person's penalty."""
    return demo.row(**{"CF_XDR_LB": "自然人", "CF_XDR_MC": NAME, "CF_XDR_SHXYM": "", "CF_FRDB": "", "CF_XDR_ZJLX": "身份证",
                       "CF_XDR_ZJHM": NUMBER, **changes})


def canary_table(demo, rows):
    columns = demo.header + [name for row in rows for name in row if name not in demo.header]
    lines = [",".join(dict.fromkeys(columns))]
    lines += [",".join(row.get(name, "") for name in dict.fromkeys(columns)) for row in rows]
    return "\r\n".join(lines).encode() + b"\r\n"


def canary_file(demo, records=1):
    """A signed file with the canary among its records."""
    return demo.sign(canary_table(demo, [canary_row(demo)] + [demo.row() for _ in range(records - 1)]))

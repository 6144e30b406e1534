#!/usr/bin/env python3
"""An auditor's own verifier: written from docs/FORMATS.md and docs/formats/log.md, and from nothing else of this project.

    auditor.py log DIR KEY [--from CHECKPOINT]     a log in tile layout, exported or fetched
    auditor.py receipt RECEIPT KEY [--file FILE]   FILE: the body as it was PUT, or its signed content

KEY is the log's verifier key, `name+hash+base64`. Exit 0: verified. 2: wrong usage or unreadable. 4: the evidence is not what was
signed; the first bad position is on standard error. Needs Python 3.9 and, for Ed25519, the command openssl.
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile


class Bad(Exception):
    """The evidence does not hold; the text says where first."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def decode(text, where):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad(f"{where}: not base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Bad(f"{where}: not the one way to write this base64")
    return raw


class Key:
    """A C2SP verifier key of type 1, Ed25519."""

    def __init__(self, text):
        match = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text.strip())
        try:
            self.name, number, raw = match[1], bytes.fromhex(match[2]), decode(match[3], "key")
            assert raw[0] == 1 and len(raw) == 33 and sha256(self.name.encode(), b"\n", raw)[:4] == number
        except (TypeError, AssertionError, Bad):
            sys.exit(usage(f"not an Ed25519 verifier key: {text}"))
        self.id, self.public = number, raw[1:]

    def verifies(self, message, signature):
        with tempfile.TemporaryDirectory() as place:
            files = {"key": bytes.fromhex("302a300506032b6570032100") + self.public,  # RFC 8410 section 4
                     "message": message, "signature": signature}
            for name, content in files.items():
                pathlib.Path(place, name).write_bytes(content)
            return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in",
                                   "message", "-sigfile", "signature"], cwd=place, capture_output=True).returncode == 0


def text_of(raw, where):
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Bad(f"{where}, byte {error.start}: not UTF-8") from None
    control = re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    if control:
        raise Bad(f"{where}, character {control.start()}: a control character")
    return text


def checkpoint(text, key, where="checkpoint"):
    """Size and root of the tree that the signed note `text` speaks of."""
    body, empty, lines = text.rpartition("\n\n")
    body += "\n"
    if not empty or not lines.endswith("\n"):
        raise Bad(f"{where}: not a signed note")
    good = False
    for number, line in enumerate(lines[:-1].split("\n"), body.count("\n") + 2):
        match = re.fullmatch(r"\u2014 ([^+\s]+) (\S+)", line)
        if not match:
            raise Bad(f"{where}, line {number}: not a signature line")
        raw = decode(match[2], f"{where}, line {number}")
        if match[1] == key.name and raw[:4] == key.id:
            if not key.verifies(body.encode(), raw[4:]):
                raise Bad(f"{where}, line {number}: the signature of {key.name} does not verify")
            good = True
    if not good:
        raise Bad(f"{where}: no signature of this key of {key.name}")
    match = re.fullmatch(r"([^\n]+)\n(0|[1-9]\d*)\n([^\n]+)\n", body)
    if not match or match[1] != key.name:
        raise Bad(f"{where}: not a checkpoint of {key.name}")
    root = decode(match[3], f"{where}, line 3")
    if len(root) != 32:
        raise Bad(f"{where}, line 3: not a hash")
    return int(match[2]), root


def leaf_of(raw, where, node):
    """The leaf's members; Bad unless it is the one canonical form."""
    try:
        leaf = json.loads(raw)
        same = json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raw
    except ValueError:
        raise Bad(f"{where}: not JSON") from None
    if not same or not isinstance(leaf, dict):
        raise Bad(f"{where}: not canonical")
    if leaf.get("v") != 1 or leaf.get("node") != node:
        raise Bad(f"{where}: of another version or node")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(leaf.get("time"))):
        raise Bad(f"{where}: no time")
    return leaf


# ---- log ---------------------------------------------------------------------------------------------------
def tile_path(level, index, width):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < 256 else "")


def read(directory, path):
    try:
        return (directory / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Bad(f"{path}: missing") from None


class Level:
    """The tiles of one level, compared with the hashes that the entries lead to, in order."""

    def __init__(self, directory, number, count):
        self.directory, self.number, self.count, self.seen, self.tile, self.bad = directory, number, count, 0, b"", None

    def expect(self, digest):
        place = self.seen % 256
        width = min(256, self.count - self.seen + place)
        path = tile_path(self.number, self.seen // 256, width)
        if place == 0:
            self.tile = read(self.directory, path)
        agrees = self.tile[place * 32:place * 32 + 32] == digest
        if not agrees:
            self.bad = self.bad or f"{path}, byte {place * 32}: hash {self.seen} of the level is not that of the entries"
        elif place == width - 1 and len(self.tile) != width * 32:
            self.bad = self.bad or f"{path}, byte {width * 32}: more than {width} hashes"
        self.seen += 1
        return agrees


def entries(directory, size):
    """(index, where, bytes) of each entry, as far as they can be read; then Bad."""
    for bundle in range((size + 255) // 256):
        width = min(256, size - bundle * 256)
        path = tile_path("entries", bundle, width)
        data, position = read(directory, path), 0
        for index in range(bundle * 256, bundle * 256 + width):
            end = position + 2 + int.from_bytes(data[position:position + 2], "big")
            where = f"entry {index} ({path}, byte {position})"
            if position + 2 > len(data) or end > len(data):
                raise Bad(f"{where}: missing or cut short")
            yield index, where, data[position + 2:end]
            position = end
        if position != len(data):
            raise Bad(f"{path}, byte {position}: something behind its last entry, {bundle * 256 + width - 1}")


def fold(peaks):
    """The root over perfect trees, the largest first (RFC 9162 section 2.1.1)."""
    if not peaks:
        return sha256()
    root = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        root = sha256(b"\x01", peak, root)
    return root


def verify_log(directory, key, older):
    size, root = checkpoint(text_of(read(directory, "checkpoint"), "checkpoint"), key)
    old_size, old_root = checkpoint(text_of(older.read_bytes(), str(older)), key, str(older)) if older else (0, sha256())
    if old_size > size:
        raise Bad(f"checkpoint: {size} entries, fewer than the {old_size} of the older one")
    levels = []
    while size >> 8 * len(levels):
        levels.append(Level(directory, len(levels), size >> 8 * len(levels)))
    peaks, unreadable, wrong, time, old = [], None, None, "", sha256()
    try:
        for index, where, entry in entries(directory, size):
            height, digest = 0, sha256(b"\x00", entry)
            if not levels[0].expect(digest) and not wrong:
                wrong = f"{where}: its hash is not the one of {tile_path(0, index // 256, min(256, size - index // 256 * 256))}"
            if not wrong:
                try:
                    leaf = leaf_of(entry, where, key.name.removesuffix("/log"))
                    if leaf["time"] < time:
                        raise Bad(f"{where}: earlier than the entry before it")
                    time = leaf["time"]
                except Bad as error:
                    unreadable = unreadable or error
            while peaks and peaks[-1][0] == height:
                height, digest = height + 1, sha256(b"\x01", peaks.pop()[1], digest)
                if height % 8 == 0:
                    levels[height // 8].expect(digest)
            peaks.append((height, digest))
            if index + 1 == old_size:
                old = fold(peaks)
    except Bad as error:
        raise Bad(wrong or str(error)) from None
    bad_tiles = [level.bad for level in levels if level.bad]
    if fold(peaks) == root:       # the entries are what was signed, so it is a tile that differs
        if bad_tiles:
            raise Bad(bad_tiles[0])
    elif wrong or bad_tiles:      # the lowest level that disagrees with the entries tells the first of them
        raise Bad(wrong or bad_tiles[0])
    else:
        raise Bad("checkpoint, line 3: entries and tiles agree, and lead to another root")
    if unreadable:
        raise unreadable
    if older and old != old_root:
        raise Bad(f"entry 0 to {old_size - 1}: the older checkpoint was signed over other ones")
    listed = manifest(directory)
    return f"{key.name}: {size} entries, as signed" + (f"; {listed} files as listed" if listed else "; no list of files")


def manifest(directory):
    """Compares SHA256SUMS, where there is one, with what lies there; returns how many files it lists."""
    if not (directory / "SHA256SUMS").exists():
        return 0
    listed, text = {}, text_of(read(directory, "SHA256SUMS"), "SHA256SUMS")
    if not text.endswith("\n"):
        raise Bad(f"SHA256SUMS, character {len(text)}: no line end")
    for number, line in enumerate(text[:-1].split("\n"), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line)
        if not match or match[2] in listed:
            raise Bad(f"SHA256SUMS, line {number}: not a digest and a new path")
        listed[match[2]] = match[1]
        path = directory / match[2]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != match[1]:
            raise Bad(f"SHA256SUMS, line {number}: {match[2]} is missing or differs")
    for place, folders, files in os.walk(directory):
        for name in [*folders, *files]:
            path = pathlib.Path(place, name)
            relative = str(path.relative_to(directory))
            if path.is_symlink() or (not path.is_dir() and relative not in listed and relative != "SHA256SUMS"):
                raise Bad(f"{relative}: not in SHA256SUMS")
    return len(listed)


# ---- receipt -----------------------------------------------------------------------------------------------
def verify_receipt(receipt, key, file):
    head, _, note = text_of(receipt.read_bytes(), "receipt").partition("\n\n")
    lines = head.split("\n")
    extra, index = (re.fullmatch(r"extra (\S+)", lines[1]), re.fullmatch(r"index (0|[1-9]\d*)", lines[2])) \
        if len(lines) > 2 else (None, None)
    if lines[0] != "c2sp.org/tlog-proof@v1" or not extra or not index:
        raise Bad("receipt, line 1 to 3: not a receipt of this form")
    size, root = checkpoint(note, key, "receipt's checkpoint")
    index, leaf = int(index[1]), decode(extra[1], "receipt, line 2")
    if index >= size:
        raise Bad("receipt, line 3: an index beyond the tree")
    digest, at, last = sha256(b"\x00", leaf), index, size - 1
    for number, line in enumerate(lines[3:], 4):
        sibling = decode(line, f"receipt, line {number}")
        if last == 0 or len(sibling) != 32:
            raise Bad(f"receipt, line {number}: one hash too many, or none")
        if at & 1 or at == last:                                   # RFC 9162 section 2.1.3.2
            digest = sha256(b"\x01", sibling, digest)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            digest = sha256(b"\x01", digest, sibling)
        at, last = at >> 1, last >> 1
    if last != 0 or digest != root:
        raise Bad("receipt, line 2: the leaf does not lead to the root that was signed")
    what = leaf_of(leaf, "receipt, line 2", key.name.removesuffix("/log"))
    lines = [f"{key.name}, entry {index}: {what['time']} {what['action']} {what.get('result', '')} by {what.get('principal', '-')}"]
    if file:
        handed = what.get("object", {})
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest not in (handed.get("digest"), handed.get("content")):
            raise Bad(f"{file}: neither the body nor the content of this receipt")
        lines.append("the file is the " + ("body as PUT" if digest == handed.get("digest") else "signed content"))
    return "\n".join(lines)


def usage(text):
    print(f"auditor: {text}", file=sys.stderr)
    return 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, option in (("log", "--from"), ("receipt", "--file")):
        sub = verbs.add_parser(verb)
        sub.add_argument("path", type=pathlib.Path)
        sub.add_argument("key", type=Key)
        sub.add_argument(option, dest="more", type=pathlib.Path)
    asked = parser.parse_args()
    try:
        if not asked.path.exists():
            return usage(f"there is no {asked.path}")
        print((verify_log if asked.verb == "log" else verify_receipt)(asked.path, asked.key, asked.more))
    except Bad as error:
        print(f"auditor: {error}", file=sys.stderr)
        return 4
    except OSError as error:
        return usage(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())

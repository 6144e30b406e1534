#!/usr/bin/env python3
"""Proves that each file includes what it uses: clang reads every file of ours by itself, warnings as errors, without the
precompiled common headers and without generating code. About ten minutes on two cores, so tests/run.sh leaves it out.

usage: own_includes.py BUILD_DIRECTORY   (one that clang configured: its compile_commands.json says how)"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def command(entry):
    words = shlex.split(entry["command"])
    while "clang" not in pathlib.Path(words[0]).name:  # the compiler launcher
        words.pop(0)
    out, rest = [words[0]], iter(words[1:])
    for word in rest:
        if word in ("-o", "-MT", "-MF"):
            next(rest)
        elif word == "-Xclang":  # the precompiled header comes as pairs: -Xclang -include-pch -Xclang FILE
            next(rest)
        elif word not in ("-c", "-MD") and not word.startswith(("-O", "-g", "-fsanitize", "-fno-sanitize")):
            out.append(word)
    return out + ["-fsyntax-only"]


def read(entry):
    done = subprocess.run(command(entry), cwd=entry["directory"], capture_output=True, text=True)
    return entry["file"], done.returncode, done.stderr


if len(sys.argv) != 2:
    sys.exit(__doc__)
build = pathlib.Path(sys.argv[1]).resolve()
entries = {}
for entry in json.loads((build / "compile_commands.json").read_text()):
    path = pathlib.Path(entry["file"]).resolve()
    if path.is_relative_to(ROOT) and not path.is_relative_to(build):
        entries[path] = entry
failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, code, errors in pool.map(read, entries.values()):
        if code:
            failed += 1
            print(errors[:4000], flush=True)
print(f"own includes: {len(entries)} files read, {failed} refused")
sys.exit(1 if failed else 0)

#!/usr/bin/env python3
"""Reads every file of ours with clang, warnings as errors, without generating code and without the precompiled common
headers: a second opinion on the language, and the proof that each file includes what it uses.

usage: second_compiler.py BUILD_DIRECTORY   (one that g++ configured: its compile_commands.json says how)"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLANG = next(c for c in map(shutil.which, ("clang++-14", "clang++-19", "clang++")) if c)
# What only g++ knows, or what only matters when code is generated.
DROPPED = {"-fstack-clash-protection", "-Winvalid-pch", "-D_FORTIFY_SOURCE=2", "-Wno-mismatched-new-delete"}


def command(entry):
    words = shlex.split(entry["command"])
    while not words[0].endswith("g++"):  # the compiler launcher
        words.pop(0)
    out, rest = [CLANG], iter(words[1:])
    for word in rest:
        if word in ("-o", "-MT", "-MF", "-include"):
            next(rest)
        elif word not in DROPPED and word not in ("-c", "-MD") and not word.startswith(("-O", "-g")):
            out.append(word)
    return out + ["-fsyntax-only", "-Wno-unused-command-line-argument", "-Wno-unknown-warning-option"]


def read(entry):
    done = subprocess.run(command(entry), cwd=entry["directory"], capture_output=True, text=True)
    return entry["file"], done.returncode, done.stderr


entries = {}
for entry in json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text()):
    path = pathlib.Path(entry["file"]).resolve()
    if path.is_relative_to(ROOT) and not path.is_relative_to(pathlib.Path(sys.argv[1]).resolve()):
        entries[path] = entry
failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, code, errors in pool.map(read, entries.values()):
        if code:
            failed += 1
            print(errors[-4000:])
print(f"second compiler: {len(entries)} files read, {failed} refused")
sys.exit(1 if failed else 0)

#!/usr/bin/env python3
"""The structure, checked: who may include whom, one owner for each outside library, no cycles, no awaited lambda,
no test that nobody builds, no code that nothing gives, and the paths docs/ARCHITECTURE.md names exist. Every rule is a line of the tables below."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders of ours it may include. The longest matching folder wins.
MAY_INCLUDE = {
    "crypto": {"crypto"},
    "storage": {"storage", "crypto"},
    "policies": {"policies"},
    "daemon/boundary": {"daemon/boundary", "crypto", "policies"},
    "daemon/config": {"daemon/config", "crypto"},
    "daemon/tls": {"daemon/tls", "crypto"},
    "daemon/gateway": {"daemon/gateway", "daemon/boundary", "daemon/config", "daemon/tls", "policies", "crypto"},
    "daemon/inspector": {"daemon/inspector", "daemon/boundary", "daemon/config", "policies", "crypto"},
    "daemon/vault": {"daemon/vault", "daemon/boundary", "daemon/config", "policies", "storage", "crypto"},
    "daemon/courier": {"daemon/courier", "daemon/boundary", "daemon/config", "daemon/tls", "policies", "crypto"},
    "daemon/supervisor": {"daemon/supervisor", "daemon/boundary", "daemon/config", "crypto"},
    "daemon/client": {"daemon/client", "daemon/config", "daemon/tls", "policies", "storage", "crypto"},
}
# A header of policies that the boundary needs to name codes, and nothing else of it.
ONLY_HEADERS = {("daemon/boundary", "policies"): {"policies/codes.hpp"},
                ("daemon/config", "crypto"): {"crypto/bytes.hpp", "crypto/result.hpp", "crypto/note.hpp"}}

# outside header -> folders that own it
OWNERS = {
    r"botan/": {"crypto", "daemon/tls"},
    r"lmdb\.h": {"storage"},
    r"yaml-cpp/": {"policies", "daemon/config"},
    r"csv\.h": {"daemon/inspector"},
    r"expat\.h": {"daemon/inspector"},
    r"zip\.h": {"daemon/inspector"},
    r"unicode/": {"daemon/inspector", "policies"},
    r"seccomp\.h": {"daemon/boundary"},
    r"systemd/": {"daemon/boundary"},
    r"re2/": {"policies"},
    r"zxcvbn\.h": {"policies"},
    r"CLI/": {"daemon/client", "daemon/supervisor", "daemon/gateway", "daemon/inspector", "daemon/vault",
              "daemon/courier"},
    r"google/protobuf": {"daemon/boundary", "storage"},
}

problems = []


def folder_of(path, table):
    matches = [f for f in table if path == f or path.startswith(f + "/")]
    return max(matches, key=len) if matches else None


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.cpp", "*.hpp"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    return sorted(p for p in listed if (ROOT / p).exists())


edges = {}
for path in sources():
    text = (ROOT / path).read_text(encoding="utf-8")
    home = folder_of(path, MAY_INCLUDE)
    is_test = path.startswith("tests/")
    for number, line in enumerate(text.splitlines(), 1):
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        angled = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if quoted:
            target = quoted.group(1)
            owner = folder_of(target, MAY_INCLUDE)
            generated = target.endswith(".pb.h")
            if not generated and not (ROOT / target).exists() and not (ROOT / path).parent.joinpath(target).exists():
                problems.append(f"{path}:{number}: no such header of ours: {target}")
            if home and owner and not is_test:
                if owner not in MAY_INCLUDE[home]:
                    problems.append(f"{path}:{number}: {home} may not depend on {owner}")
                only = ONLY_HEADERS.get((home, owner))
                if only is not None and target not in only:
                    problems.append(f"{path}:{number}: {home} may include of {owner} only {', '.join(sorted(only))}")
                if owner != home:
                    edges.setdefault(home, set()).add(owner)
            if home and target.startswith("tests/"):
                problems.append(f"{path}:{number}: product code depends on tests")
        if angled and home and not is_test:
            for pattern, owners in OWNERS.items():
                if re.match(pattern, angled.group(1)) and home not in owners:
                    problems.append(f"{path}:{number}: <{angled.group(1)}> belongs to {', '.join(sorted(owners))}")
    # g++ 12 destroys temporaries of a co_await expression twice: name lambdas and aggregates first.
    for match in re.finditer(r"co_await\s[^;{}]*\[[^\]]*\]\s*(\([^)]*\))?\s*(mutable\s*)?(->\s*[\w:<>]+\s*)?\{", text):
        number = text.count("\n", 0, match.start()) + 1
        problems.append(f"{path}:{number}: a lambda inside a co_await expression; name it first")
    if home and not is_test:
        head = text.lstrip().split("\n", 1)[0]
        if path.endswith(".hpp") and not head.startswith("//"):
            problems.append(f"{path}:1: a header begins with what it is for")


def cycle(node, trail):
    if node in trail:
        problems.append("dependency cycle: " + " -> ".join(trail[trail.index(node):] + [node]))
        return True
    return any(cycle(n, trail + [node]) for n in sorted(edges.get(node, ())))


for start in sorted(edges):
    if cycle(start, []):
        break

# Top level: nothing beyond what the layout names.
allowed_top = {".ci", ".clang-format", ".clang-tidy", ".gitignore", "CMakeLists.txt", "CMakePresets.json", "LICENSE",
               "README.md", "crypto", "storage", "policies", "daemon", "packaging", "tests", "docs"}
top = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
for name in sorted({p.split("/", 1)[0] for p in top if p} - allowed_top):
    problems.append(f"{name}: not in the layout of the top level")

# A test that no CMakeLists.txt names is never run, and nobody would notice.
for path in ROOT.glob("tests/**/*_test.cpp"):
    listed = path.parent / "CMakeLists.txt"
    if not listed.exists() or not re.search(rf"\b{path.name}\b", listed.read_text(encoding="utf-8")):
        problems.append(f"{path.relative_to(ROOT)}: not built: {listed.relative_to(ROOT)} does not name it")
promises = (ROOT / "tests" / "integration" / "CMakeLists.txt").read_text(encoding="utf-8")
for path in ROOT.glob("tests/integration/test_*.py"):
    if not re.search(rf"\b{path.stem.removeprefix('test_')}\b", promises):
        problems.append(f"{path.relative_to(ROOT)}: not run: tests/integration/CMakeLists.txt does not name it")

# A code that nothing gives is a promise without a deed. Packs name some of theirs in YAML.
given = set()
for pattern in ("crypto/**/*", "storage/**/*", "policies/**/*", "daemon/**/*"):
    for path in ROOT.glob(pattern):
        if path.suffix in (".cpp", ".hpp", ".yaml", ".proto") and not path.name.startswith("codes_"):
            given.update(re.findall(r"XF-\d{4}", path.read_text(encoding="utf-8")))
for path in sorted(ROOT.glob("policies/codes_*.cpp")):
    for code in re.findall(r'\{"(XF-\d{4})"', path.read_text(encoding="utf-8")):
        if code not in given:
            problems.append(f"{path.relative_to(ROOT)}: nothing gives {code}")

architecture = ROOT / "docs" / "ARCHITECTURE.md"
if architecture.exists():
    for number, line in enumerate(architecture.read_text(encoding="utf-8").splitlines(), 1):
        for path in re.findall(r"`((?:crypto|storage|policies|daemon|packaging|tests|docs)/[\w./*-]*)`", line):
            hits = list(ROOT.glob(path)) if "*" in path else [ROOT / path]
            if not hits or not all(p.exists() for p in hits):
                problems.append(f"docs/ARCHITECTURE.md:{number}: names {path}, which does not exist")
else:
    problems.append("docs/ARCHITECTURE.md is missing")

for problem in problems:
    print(problem)
print(f"architecture: {len(problems)} problem(s)")
sys.exit(1 if problems else 0)

"""The demo's three nodes as a fixture, and the stock tools a department has: openssl and curl.

Nothing here imports anything of the product: what these tests see is what a user sees.
"""
import csv
import io
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid

from tests.support.records import credit_code

BIN = pathlib.Path(os.environ["XINFU_BIN"])
XINFU = str(BIN / "xinfu")
PENALTY = "administrative-penalty"
# What the sanitizers, a failed assertion, an exception that nobody caught and tests/faults/ when it is lost leave behind.
FAULT = re.compile(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|Assertion `|terminate called|the failing system:")


def run(*command, check=True, timeout=120, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=timeout, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} exited {done.returncode}\n{done.stdout.decode(errors='replace')}\n"
                             f"{done.stderr.decode(errors='replace')}")
    return done


def wait_until(condition, timeout=30, every=0.1, what="condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(every)


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Answer:
    def __init__(self, status, headers, body, exit_code, stderr):
        self.status, self.headers, self.body, self.exit_code, self.stderr = status, headers, body, exit_code, stderr

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    @property
    def id(self):
        return self.headers["location"].rsplit("/", 1)[1]

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r} curl={self.exit_code} {self.stderr[-300:]!r}>"


class Demo:
    """`xinfu demo up` in a directory of its own; `down` ends exactly those processes."""

    def __init__(self, programs=BIN):
        self.programs = pathlib.Path(programs)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="xinfu-test-"))
        self.dir = self.home / "demo"
        self.work = self.home / "work"
        self.work.mkdir()
        self.supervisors = {}  # of nodes that were started again here
        done = run(self.programs / "xinfu", "demo", "up", "--dir", self.dir, check=False, timeout=120)
        if done.returncode != 0:
            logs = "\n".join(f"--- {p}\n{p.read_text(errors='replace')[-3000:]}" for p in self.dir.rglob("*.log"))
            self.down()
            raise AssertionError(f"demo up exited {done.returncode}: {done.stdout.decode()} {done.stderr.decode()}\n{logs}")
        self.env = {}
        for line in (self.dir / "env").read_text().splitlines():
            line = line.strip().removeprefix("export ")
            if line and not line.startswith("#"):
                name, value = line.split("=", 1)
                self.env[name] = "".join(shlex.split(value))
        with open(self["SAMPLE_PENALTIES"], encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.reader(handle))
        self.header, self.sample = rows[0], rows[1:]
        self.serials = itertools.count(int(time.time() * 10) % 10_000_000 * 10 + 1)

    def __getitem__(self, name):
        return self.env["XINFU_" + name]

    def down(self):
        """Ends the nodes. A process that died of a fault of its own was replaced, so only the nodes' logs tell of it."""
        done = run(self.programs / "xinfu", "demo", "down", "--dir", self.dir, check=False)
        if done.returncode != 0:  # once more, and if need be with its words: what goes on running would be waited for in vain
            run(self.programs / "xinfu", "demo", "down", "--dir", self.dir)
        for supervisor in self.supervisors.values():
            supervisor.wait(30)
        faults = [f"--- {log}\n{text[max(0, found.start() - 500):found.start() + 6000]}" for log in self.dir.rglob("*.log")
                  for text in [log.read_text(errors="replace")] for found in [FAULT.search(text)] if found]
        shutil.rmtree(self.home, ignore_errors=True)
        if faults:
            raise AssertionError("\n".join(faults))

    def supervisor(self, node="CITY"):
        """The process that started a node's others."""
        status = pathlib.Path(f"/proc/{self.pids(node)['gateway'][0]}/status").read_text()
        return int(re.search(r"PPid:\s+(\d+)", status).group(1))

    def await_end(self, node, supervisor, others=()):
        for pid in (supervisor, *others):
            wait_until(lambda: not is_running(pid), 60, 0.02, f"the end of {node}'s process {pid}")
        if node in self.supervisors:
            self.supervisors[node].wait(60)

    def start(self, node="CITY", prefix=()):
        """Starts a node that was ended; `prefix` is a command that starts it."""
        place = self.dir / node.lower()
        with open(place / "restarted.log", "ab") as log:
            self.supervisors[node] = subprocess.Popen([*prefix, self.programs / "xinfud", "run", "--config", place / "xinfu.yaml",
                                                       "--pid-file", place / "pids"], stdout=log, stderr=log)

    def stop(self, node="CITY"):
        """Ends a node as an administrator would."""
        supervisor, gateways = self.supervisor(node), self.pids(node)["gateway"]
        os.kill(supervisor, signal.SIGTERM)
        self.await_end(node, supervisor, gateways)

    def restart_city(self, change=lambda text: text, meanwhile=lambda: None, prefix=()):
        """Ends the city's supervisor as an administrator would, changes its configuration, starts it again; `prefix` is a
        command that starts it. Other paths are approved before, or they would not count."""
        path = self.dir / "city" / "xinfu.yaml"
        before = path.read_text()
        after = change(before)
        changed = "\n".join(set(before.splitlines()) ^ set(after.splitlines()))
        if re.search(r"^[ -]*(listen|metrics|tls12|name|level|node|url|anchors|envelope|log_key|witness_key):", changed, re.M):
            self.approve_paths(after)
        self.stop()
        path.write_text(after)
        meanwhile()
        self.start(prefix=prefix)
        self.await_city()

    def await_city(self):
        try:
            wait_until(lambda: self.curl("/v1/status").status == 200, 20, 0.2, "the city's return")
        except AssertionError as why:
            raise AssertionError(f"{why}: {self.curl('/v1/status')}, {self.pids()}\n"
                                 f"{(self.dir / 'city' / 'restarted.log').read_text()[-3000:]}")

    def xinfu(self, who, *words, check=True):
        """The command, as this person."""
        return run(XINFU, *words, "--url", self["CITY_URL"], "--ca", self["CA"], "--cert", self[who + "_CERT"], "--key",
                   self[who + "_KEY"], "--password-file", self.path(self[who + "_PASSWORD"].encode()), check=check)

    def approve_paths(self, text):
        """The listeners and routes of a configuration, asked for by one person and approved of by another."""
        asked = self.xinfu("SECURITY_ADMIN", "paths", "propose", "--config-file", self.path(text.encode(), ".yaml"), "--reason",
                           "test", "--json")
        self.xinfu("SYSTEM_ADMIN", "request", "approve", json.loads(asked.stdout)["id"])

    # ---- files -------------------------------------------------------------------------------------------
    def row(self, **changes):
        """A valid penalty of DEPT's unit that no other row equals."""
        serial = next(self.serials)
        row = dict(zip(self.header, self.sample[0]))
        row["CF_WSH"] = f"（2026）市监罚字〔2026〕{serial}号"
        row["CF_XDR_MC"] = f"测试企业{serial}有限公司"
        row["CF_XDR_SHXYM"] = credit_code(serial)
        row.update(changes)
        return row

    def csv(self, rows):
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=self.header, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode("utf-8")

    def penalties(self, count, **changes):
        return self.csv([self.row(**changes) for _ in range(count)])

    def path(self, content=None, suffix=""):
        path = self.work / (uuid.uuid4().hex + suffix)
        if content is not None:
            path.write_bytes(content)
        return path

    def sign(self, content, who="DEPT", *options):
        source, out = self.path(content, ".csv"), self.path(suffix=".p7m")
        run("openssl", "cms", "-sign", "-binary", "-nodetach", "-in", source, "-signer", self[who + "_CERT"],
            "-inkey", self[who + "_KEY"], "-outform", "DER", "-out", out, *options)
        return out

    # ---- certificates ------------------------------------------------------------------------------------
    def unit(self, who="DEPT"):
        """The unified social credit code in somebody's certificate."""
        text = run("openssl", "x509", "-in", self[who + "_CERT"], "-noout", "-subject", "-nameopt", "sep_multiline,utf8,sname")
        return next(line.split("=", 1)[1] for line in text.stdout.decode().splitlines()
                    if line.strip().startswith("organizationIdentifier"))

    def issue(self, name, unit, number=None):
        """A person's certificate by the demo's authority, without a number a machine's; enrolled nowhere. As PEM, and as NAME's."""
        key, request, cert = (self.path(suffix=s) for s in (".key", ".csr", ".pem"))
        subject = f"/C=CN/O=测试单位/organizationIdentifier={unit}" + (f"/serialNumber={number}" if number else "")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8", "-keyout", key,
            "-out", request, "-subj", f"{subject}/CN={name}")
        run(XINFU, "ca", "issue", "--dir", self.dir / "ca", "--csr", request, "--out", cert)
        self.env |= {f"XINFU_{name}_CERT": str(cert), f"XINFU_{name}_KEY": str(key), f"XINFU_{name}_PASSWORD": "Correct-horse 17 rails"}
        return cert.read_text()

    # ---- requests ----------------------------------------------------------------------------------------
    def identity(self, who):
        return ["--cert", self[who + "_CERT"], "--key", self[who + "_KEY"]] if who else []

    def curl(self, path, *options, who="DEPT", node="CITY", timeout=60, certificate=None):
        headers, body = self.path(suffix=".head"), self.path(suffix=".body")
        identity = certificate if certificate is not None else self.identity(who)
        done = run("curl", "--silent", "--show-error", "--max-time", timeout, "--cacert", self["CA"], *identity,
                   "--dump-header", headers, "--output", body, "--write-out", "%{http_code}", *options,
                   self[node + "_URL"] + path, check=False, timeout=timeout + 10)
        fields = {}
        if headers.exists():
            for line in headers.read_text(errors="replace").splitlines():
                if line.startswith("HTTP/"):
                    fields = {}  # the last answer counts: an interim 100 has a head too
                elif ":" in line:
                    key, value = line.split(":", 1)
                    fields[key.strip().lower()] = value.strip()
        status = int(done.stdout or 0)
        if status < 200:
            status = 0  # only an interim answer came: there is none
        answer = Answer(status, fields, body.read_bytes() if body.exists() else b"", done.returncode,
                        done.stderr.decode(errors="replace"))
        headers.unlink(missing_ok=True)
        body.unlink(missing_ok=True)
        return answer

    def put(self, file, name=None, who="DEPT", node="CITY", catalog=PENALTY, options=(), **more):
        name = name or uuid.uuid4().hex + ".p7m"
        return self.curl(f"/v1/submissions/{catalog}/{name}", "-T", file, *options, who=who, node=node, **more)

    def submit(self, content, name=None, who="DEPT", **more):
        return self.put(self.sign(content, who), name, who, **more)

    def submission(self, id, who="DEPT", node="CITY"):
        return self.curl(f"/v1/submissions/{id}", who=who, node=node)

    def delivered(self, id, timeout=30, **where):
        def both():
            answer = self.submission(id, **where)
            if answer.status != 200:
                return None
            levels = {a["level"]: a["state"] for a in answer.json["acknowledgements"]}
            return answer.json if levels.get("province") == levels.get("nation") == "delivered" else None
        return wait_until(both, timeout, 0.3, f"delivery of {id}")

    def session(self, who, node="CITY"):
        body = json.dumps({"password": self[who + "_PASSWORD"]})
        answer = self.curl("/v1/session", "--json", body, who=who, node=node)
        assert answer.status in (200, 201), answer
        return answer.json["token"]

    def as_person(self, who, path, *options, node="CITY", token=None):
        token = token or self.session(who, node)
        return self.curl(path, "-H", f"Authorization: Bearer {token}", *options, who=who, node=node)

    def query(self, subject, who="VIEWER", node="CITY", purpose="test", catalog=PENALTY, token=None):
        body = json.dumps({"subject": subject, "purpose": purpose})
        return self.as_person(who, f"/v1/records/{catalog}/query", "--json", body, node=node, token=token)

    # ---- evidence ----------------------------------------------------------------------------------------
    def verify_receipt(self, receipt, file=None, node="CITY", check=True):
        path = self.path(receipt if isinstance(receipt, bytes) else receipt.encode(), ".receipt")
        return run(XINFU, "receipt", "verify", path, *(["--file", file] if file else []), "--log-key",
                   self[node + "_LOG_KEY"], "--json", check=check)

    def log_verify(self, node="CITY", check=True, since=None, witness=None):
        """`since` is a checkpoint that somebody kept; `witness` a node that must have co-signed."""
        return run(XINFU, "log", "verify", "--url", self[node + "_URL"], "--ca", self["CA"], "--cert",
                   self["LOG_READER_CERT"], "--key", self["LOG_READER_KEY"], "--log-key", self[node + "_LOG_KEY"],
                   *(["--from", self.path(since.encode(), ".checkpoint")] if since else []),
                   *(["--witness-key", self[witness + "_WITNESS_KEY"]] if witness else []), check=check)

    def local(self, path, node="CITY"):
        """What the listener on loopback says: status and text."""
        place = re.search(r'metrics:\s*"?([0-9.:]+)', (self.dir / node.lower() / "xinfu.yaml").read_text()).group(1)
        done = run("curl", "--silent", "--write-out", "\n%{http_code}", f"http://{place}{path}", check=False).stdout.decode()
        text, status = done.rsplit("\n", 1)
        return int(status), text

    def checkpoint(self, node="CITY"):
        """None: the node does not answer now."""
        answer = self.curl("/v1/log/checkpoint", who="LOG_READER", node=node)
        return answer.text if answer.status == 200 else None

    def leaves(self, node="CITY"):
        """Every leaf of a node's log, as objects, read through the public tile interface."""
        note = wait_until(lambda: self.checkpoint(node), what="the checkpoint")
        size = int(note.split("\n")[1])
        leaves = []
        for bundle in range((size + 255) // 256):
            width = min(256, size - bundle * 256)
            digits = f"{bundle:03d}"
            assert bundle < 1000
            path = f"/v1/log/tile/entries/{digits}" + (f".p/{width}" if width < 256 else "")
            data = self.curl(path, who="LOG_READER", node=node).body
            position = 0
            while position < len(data):
                length = int.from_bytes(data[position:position + 2], "big")
                leaves.append(json.loads(data[position + 2:position + 2 + length]))
                position += 2 + length
        assert len(leaves) == size, (len(leaves), size)
        return leaves

    # ---- processes ---------------------------------------------------------------------------------------
    def pids(self, node="CITY"):
        path = pathlib.Path(self["CITY_PIDS"])
        if node != "CITY":
            path = pathlib.Path(str(path).replace("/city/", f"/{node.lower()}/"))
        result = {}
        for line in path.read_text().splitlines():
            role, pid = line.split()
            result.setdefault(role, []).append(int(pid))
        return result

    def kill(self, role, node="CITY"):
        pids = self.pids(node).get(role, [])
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return pids


class DemoCase(unittest.TestCase):
    """One set of nodes for all tests of a class."""
    demo: Demo

    @classmethod
    def setUpClass(cls):
        cls.demo = Demo()

    @classmethod
    def tearDownClass(cls):
        cls.demo.down()

    def assertProblem(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers.get("content-type", "").split(";")[0], "application/problem+json", answer)
        body = answer.json
        for key in ("code", "title", "detail", "detail_zh", "retry"):
            self.assertIn(key, body)
        self.assertRegex(body["code"], r"^XF-\d{4}$")
        if code:
            self.assertEqual(body["code"], code, answer)
        return body


def receipt_index(receipt):
    return int(re.search(r"^index (\d+)$", receipt, re.M).group(1))


def receipt_leaf(receipt):
    import base64
    return json.loads(base64.b64decode(re.search(r"^extra (\S+)$", receipt, re.M).group(1)))

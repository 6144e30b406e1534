"""Nothing leaks: a person's name and number go every way there is, in files that are taken, refused and broken off, in
questions, purposes, reasons and names of files, and are then nowhere but where somebody may read them. CHK-02, CHK-08, ENC-04."""
import contextlib
import json
import os
import pathlib
import re
import signal
import stat
import unittest
import urllib.parse

from tests.support.canary import NAME, NUMBER, canary_file, canary_row, canary_table, readable
from tests.support.demo import XINFU, DemoCase, run, wait_until

NODES = ("CITY", "PROVINCE", "NATION")


def memory(pid):
    """Everything a process has written to, as a core of it would have it."""
    content = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as octets:
        for line in maps:
            area, rights = line.split()[:2]
            if "w" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(x, 16) for x in area.split("-"))
            octets.seek(begin)
            try:
                content.append(octets.read(end - begin))
            except OSError:
                pass  # given back meanwhile
    return b"".join(content)


class Canary(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.go_every_way()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def go_every_way(cls):
        demo = cls.demo
        quoted = urllib.parse.quote(NAME)
        cls.answers = []  # what somebody got who is not meant to get it

        taken = demo.put(canary_file(demo), f"{quoted}.p7m")  # whose name is a person's
        assert taken.status == 201, taken
        large = demo.put(canary_file(demo, 3000))
        assert large.status == 201, large
        wrong = NUMBER[:-1] + ("1" if NUMBER[-1] != "1" else "2")
        rows = [canary_row(demo, CF_XDR_ZJHM=wrong), canary_row(demo, CF_JDRQ=NUMBER), canary_row(demo, CF_XDR_SHXYM=NUMBER)]
        refused = demo.submit(canary_table(demo, rows))
        assert refused.status == 422, refused
        defects = demo.curl(f"/v1/submissions/{refused.id}/defects")
        assert defects.status == 200 and defects.body, defects
        cls.answers += [taken, large, refused, defects]
        corrected = demo.submit(canary_table(demo, [canary_row(
            demo, XF_OP="withdraw", XF_RECORD=f"{taken.id}-2", XF_VERSION="1", XF_REASON=f"{NAME}已申诉")]))
        cls.answers.append(corrected)
        token = demo.session("VIEWER")
        for subject in (NUMBER, "91219900MA0000000X"):
            cls.answers.append(demo.query(subject, purpose=f"核实{NAME}的申请 {NUMBER}", token=token))
        # Broken off: a file half sent, a part of one, a request that is none.
        half = canary_file(demo, 3000)
        demo.put(half, options=["--limit-rate", "300k"], timeout=1)
        cut = demo.path(half.read_bytes()[:300_000])
        demo.put(cut, options=["-H", f"Content-Length: {half.stat().st_size}"], timeout=3)
        cls.answers.append(demo.put(cut))
        cls.answers.append(demo.curl(f"/v1/submissions/{quoted}/{quoted}", "-T", cut))
        # On a form: it is for those who decide, and nowhere else.
        form = {"kind": "machine", "unit": demo.unit(), "unit_name": "测试单位", "name": NAME, "post": NAME, "phone": NUMBER,
                "roles": ["submitter"], "certificates": [demo.issue("CANARY", demo.unit())]}
        admin = demo.session("SECURITY_ADMIN")
        asked = demo.as_person("SECURITY_ADMIN", "/v1/requests", "--json", json.dumps(
            {"act": "account", "reason": f"{NAME}到岗", "form": form}), token=admin)
        assert asked.status == 201, asked
        demo.as_person("SECURITY_ADMIN", f"/v1/requests/{asked.json['id']}/decision", "--json", json.dumps(
            {"decision": "reject", "reason": f"{NAME}离岗"}), token=admin)
        demo.as_person("SECURITY_ADMIN", "/v1/requests", "--json", json.dumps(
            {"act": "account", "reason": NAME, "form": form | {"kind": NAME}}), token=admin)
        cls.answers.append(demo.curl(f"/v1/{quoted}?{quoted}={NUMBER}", "-H", f"X-Name: {quoted}"))
        cls.answers.append(demo.curl("/v1/session", "--json", json.dumps({"password": NAME}), who="VIEWER"))
        for each in (taken, large):
            demo.delivered(each.id, 60)

    def test_answers_show_no_more_than_a_mask(self):
        for answer in self.answers:
            self.assertEqual(readable(answer.body), [], answer)
            self.assertEqual(readable("\n".join(f"{k}: {v}" for k, v in answer.headers.items()).encode()), [])

    def test_logs_metrics_exports_and_status_have_none_of_it(self):
        for node in NODES:
            export = self.demo.path(suffix=".export")
            run(XINFU, "log", "export", "--url", self.demo[node + "_URL"], "--ca", self.demo["CA"], "--cert",
                self.demo["LOG_READER_CERT"], "--key", self.demo["LOG_READER_KEY"], "--out", export)
            text = (self.demo.dir / node.lower() / "xinfu.yaml").read_text()
            metrics = "http://" + re.search(r"metrics:\s*\"?([0-9.:]+)", text).group(1) + "/metrics"
            for name, octets in (("export", b"".join(p.read_bytes() for p in ([export] if export.is_file() else
                                                                              export.rglob("*")) if p.is_file())),
                                 ("metrics", run("curl", "-sS", metrics).stdout),
                                 ("status", self.demo.curl("/v1/status", node=node).body)):
                with self.subTest(node=node, what=name):
                    self.assertTrue(octets)
                    self.assertEqual(readable(octets), [])
            for log in (self.demo.dir / node.lower()).rglob("*.log"):
                self.assertEqual(readable(log.read_bytes()), [], log)

    def test_files_of_every_node_and_of_the_system_have_none_of_it(self):
        began = (self.demo.dir / "env").stat().st_mtime
        files = [path for node in NODES for path in pathlib.Path(self.demo[node + "_STATE"]).parent.rglob("*")]
        self.assertGreater(len(files), 20)
        for path in files:
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30:
                self.assertEqual(readable(path.read_bytes()), [], path)
        for place in ("/tmp", "/var/tmp", "/dev/shm"):
            for path in pathlib.Path(place).glob("*"):
                with contextlib.suppress(FileNotFoundError):  # another test's, that came to its end
                    status = path.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and status.st_mtime >= began and status.st_size < 1 << 30:
                        self.assertEqual(readable(path.read_bytes()), [], path)

    @unittest.skipIf(os.environ.get("XINFU_SANITIZED"), "the sanitizer's memory is too large to read")
    def test_couriers_never_had_it_in_memory(self):
        """The process that goes out carries what it cannot open: a core of it would tell nothing."""
        self.assertTrue(readable(memory(os.getpid())), "what is looked for can be found")
        for node in NODES:
            for pid in self.demo.pids(node)["courier"]:
                content = memory(pid)
                self.assertGreater(len(content), 100_000)
                self.assertEqual(readable(content), [], node)

    @unittest.skipIf(os.environ.get("XINFU_SANITIZED"), "the sanitizer takes the signal for a fault of the program")
    def test_no_process_leaves_a_core(self):
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        for node in NODES:
            for role, pids in self.demo.pids(node).items():
                for pid in pids:
                    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                    self.assertRegex(limits, r"Max core file size\s+0\s+0\s", (node, role))
        before = self.demo.pids()
        for role in ("inspector", "gateway", "courier", "vault"):
            for pid in before.get(role, ()):
                os.kill(pid, signal.SIGSEGV)
                wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 20, 0.1, f"the end of {role}")
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 30, 0.2, "the city's return")
        folders = [pathlib.Path(pattern).parent if pattern.startswith("/") else pathlib.Path(self.demo["CITY_STATE"]),
                   self.demo.dir / "city", pathlib.Path.cwd()]
        began = (self.demo.dir / "env").stat().st_mtime
        for folder in folders:
            cores = [path for path in folder.glob("core*") if path.is_file() and path.stat().st_mtime >= began]
            self.assertEqual(cores, [])


if __name__ == "__main__":
    unittest.main()

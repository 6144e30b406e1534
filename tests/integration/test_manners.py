"""A good service: health, metrics, drain, strict configuration, codes that explain themselves. OPS-01, OPS-02, ENC-04."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import unittest

from tests.support.demo import BIN, XINFU, DemoCase, run, wait_until


class Manners(DemoCase):
    def metrics_url(self, node="city"):
        text = (self.demo.dir / node / "xinfu.yaml").read_text()
        return "http://" + re.search(r"metrics:\s*\"?([0-9.:]+)", text).group(1)

    def test_health_readiness_and_metrics_answer_on_loopback(self):
        base = self.metrics_url()
        self.assertEqual(run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", base + "/healthz").stdout, b"200")
        self.assertEqual(run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", base + "/readyz").stdout, b"200")
        self.demo.submit(self.demo.penalties(1))
        text = run("curl", "-s", base + "/metrics").stdout.decode()
        for line in text.splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r'^xinfu_[a-z0-9_]+(\{[^}]*\})? [-+0-9.eEinfNa]+$')
        self.assertRegex(text, r"xinfu_\w*submissions_total")

    def test_gauges_are_of_the_moment_of_the_question(self):
        def entries():
            return int(re.search(r"^xinfu_log_entries (\d+)$", run("curl", "-s", self.metrics_url() + "/metrics").stdout.decode(), re.M)[1])
        self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)  # nothing is on its way any more
        entries()
        before = entries()
        self.demo.submit(self.demo.penalties(1))
        self.assertGreater(entries(), before)

    def test_readiness_goes_and_comes_with_the_vault(self):
        base = self.metrics_url()
        self.demo.kill("vault")
        wait_until(lambda: run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", base + "/readyz").stdout == b"200",
                   10, 0.1, "readiness after the vault's restart")
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)

    def test_a_fast_script_never_meets_the_limit_of_handshakes(self):
        """Everybody who uses the demo comes from one address. 700 connections are more than a node admits by default."""
        host, port = self.demo["CITY_URL"].removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=self.demo["CA"])
        context.load_cert_chain(self.demo["DEPT_CERT"], self.demo["DEPT_KEY"])
        for _ in range(700):
            with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain, server_hostname=host):
                pass
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)

    def test_beside_64_kept_connections_there_is_room_for_another(self):
        """A load program with 64 connections met the default limit of one address now and then, as the end of a line."""
        host, port = self.demo["CITY_URL"].removeprefix("https://").split(":")
        kept = [socket.create_connection((host, int(port)), 10) for _ in range(64)]
        try:
            self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        finally:
            for connection in kept:
                connection.close()

    def test_status_for_people_and_programs(self):
        environment = dict(os.environ, XINFU_URL=self.demo["CITY_URL"], XINFU_CA=self.demo["CA"],
                           XINFU_CERT=self.demo["DEPT_CERT"], XINFU_KEY=self.demo["DEPT_KEY"], LANG="C.UTF-8")
        status = json.loads(run(XINFU, "status", "--json", env=environment).stdout)
        self.assertEqual(status["node"], "city")
        self.assertIn("city", run(XINFU, "status", env=environment).stdout.decode())

    def test_every_code_a_test_met_explains_itself_in_both_languages(self):
        for code in ("XF-1001", "XF-3002", "XF-3007", "XF-5001"):
            english = run(XINFU, "explain", code, env=dict(os.environ, LANG="C.UTF-8", LC_ALL="C.UTF-8")).stdout.decode()
            chinese = run(XINFU, "explain", code, env=dict(os.environ, LANG="zh_CN.UTF-8", LC_ALL="zh_CN.UTF-8")).stdout.decode()
            self.assertIn(code, english)
            self.assertRegex(chinese, "[\u4e00-\u9fff]")
        self.assertEqual(run(XINFU, "explain", "XF-0042", check=False).returncode, 1)

    def test_wrong_usage_exits_2(self):
        self.assertEqual(run(XINFU, "no-such-verb", check=False).returncode, 2)
        self.assertEqual(run(XINFU, "status", "--no-such-option", check=False).returncode, 2)
        for program in ("xinfu", "xinfud", "xinfu-gateway", "xinfu-inspector", "xinfu-vault", "xinfu-courier"):
            self.assertEqual(run(BIN / program, "--version").returncode, 0)
            self.assertEqual(run(BIN / program, "--help").returncode, 0)

    def test_there_is_no_way_to_switch_encryption_or_authentication_off(self):
        """ENC-03, ACC-05: no such key in any part of the configuration, no plain address for departments, no node without its key."""
        text = (self.demo.dir / "city" / "xinfu.yaml").read_text()
        for broken, said in ((text.replace("gateway:\n", "gateway:\n  tls: false\n"), "gateway.tls"),
                             (text.replace("gateway:\n", "gateway:\n  client_certificates: optional\n"), "client_certificates"),
                             (text.replace("vault:\n", "vault:\n  encryption: false\n"), "vault.encryption"),
                             (text + "authentication: none\nprofile: test\n", "authentication"),
                             (text.replace("suite: standard", "suite: none"), "suite"),
                             (text.replace("https://", "http://"), "url"),
                             (re.sub('metrics: ".*"', 'metrics: "0.0.0.0:9464"', text), "gateway.metrics")):
            self.assertNotEqual(broken, text, said)
            file = self.demo.path(broken.encode(), ".yaml")
            for command in (("--check-config", file), ("run", "--config", file)):
                done = run(BIN / "xinfud", *command, check=False)
                self.assertNotEqual(done.returncode, 0, (said, command))
                self.assertIn(said, (done.stdout + done.stderr).decode(), (said, command))
        without = self.demo.path(text.replace("key_wrapping_key: key-wrapping-key", "key_wrapping_key: no-such-file").encode(), ".yaml")
        self.assertNotEqual(run(BIN / "xinfud", "run", "--config", without, check=False).returncode, 0)

    def test_all_mistakes_of_a_configuration_are_told_at_once_with_their_places(self):
        text = (self.demo.dir / "city" / "xinfu.yaml").read_text()
        broken = self.demo.path((text + "\nno_such_key: 1\n").replace("node: city", "node: [city").encode()
                                if False else (text + "\nno_such_key: 1\nanother_wrong: 2\n").encode(), ".yaml")
        done = run(BIN / "xinfud", "--check-config", broken, check=False)
        self.assertNotEqual(done.returncode, 0)
        output = (done.stdout + done.stderr).decode()
        self.assertIn("no_such_key", output)
        self.assertIn("another_wrong", output)
        self.assertRegex(output, r":\d+:\d+")

    def test_no_personal_data_in_logs_or_metrics(self):
        name, number = "甄探针", "21990019000101001X"
        row = self.demo.row(CF_FRDB=name, CF_SY=f"当事人{name}")
        self.demo.submit(self.demo.csv([row]))
        for path in self.demo.dir.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                self.assertNotIn(name.encode(), data, path)
        self.assertNotIn(name.encode(), run("curl", "-s", self.metrics_url() + "/metrics").stdout)
        self.assertTrue(number)

    def test_four_processes_with_a_uid_each(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        uids = {}
        self.demo.submit(self.demo.penalties(1))
        for role, pids in self.demo.pids().items():
            status = pathlib.Path(f"/proc/{pids[0]}/status").read_text()
            uids[role] = re.search(r"^Uid:\s+(\d+)", status, re.M).group(1)
            self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$", role)
            if role in ("gateway", "inspector") and not os.environ.get("XINFU_SANITIZED"):
                self.assertRegex(status, r"(?m)^Seccomp:\s+2$", role)
        self.assertEqual(len(set(uids.values())), len(uids), uids)
        self.assertNotIn("0", uids.values())


class Drain(DemoCase):
    def test_sigterm_finishes_what_was_begun_and_ends(self):
        import subprocess
        rows = [self.demo.row(CF_SY="事实" * 500) for _ in range(1500)]
        file = self.demo.sign(self.demo.csv(rows))
        receipt = self.demo.path()
        objects = pathlib.Path(self.demo["CITY_STATE"]) / "objects"
        before = set(objects.rglob("*"))
        sender = subprocess.Popen(
            ["curl", "-sS", "--limit-rate", "3M", "--cacert", self.demo["CA"], *self.demo.identity("DEPT"), "-o", receipt,
             "-w", "%{http_code}", "-T", file, self.demo["CITY_URL"] + "/v1/submissions/administrative-penalty/drain.p7m"],
            stdout=subprocess.PIPE)
        wait_until(lambda: set(objects.rglob("*")) - before, 10, 0.05, "what is kept of the file meanwhile")
        gateway = self.demo.pids()["gateway"][0]
        parent = int(re.search(r"PPid:\s+(\d+)", pathlib.Path(f"/proc/{gateway}/status").read_text()).group(1))
        os.kill(parent, signal.SIGTERM)
        status = sender.communicate(timeout=60)[0]
        self.assertEqual(status, b"201")
        wait_until(lambda: not pathlib.Path(f"/proc/{gateway}").exists(), 30, 0.1, "the end of the gateway")


if __name__ == "__main__":
    unittest.main()

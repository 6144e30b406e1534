"""The levels above, when they misbehave: down, slow, refusing, answering with a receipt for something else.
UP-01, UP-06, UP-07, OPS-01."""
import http.server
import os
import pathlib
import re
import signal
import ssl
import subprocess
import threading
import time
import unittest

from tests.support.demo import BIN, XINFU, DemoCase, run, wait_until


class Levels(DemoCase):
    def link(self):
        status = self.demo.as_person("SYSTEM_ADMIN", "/v1/status").json
        return next(l for l in status["links"] if l["route"] == "province")

    def test_a_link_that_is_down_loses_nothing_and_says_so(self):
        supervisor_pids = self.demo.pids("PROVINCE")
        frozen = [pid for pids in supervisor_pids.values() for pid in pids]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            ids = [self.demo.submit(self.demo.penalties(1)).id for _ in range(5)]
            time.sleep(2)
            for id in ids:
                levels = {a["level"]: a["state"] for a in self.demo.submission(id).json["acknowledgements"]}
                self.assertEqual(levels["province"], "waiting")
            self.assertGreaterEqual(self.link()["backlog"], 5)
        finally:
            for pid in frozen:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        for id in ids:
            self.demo.delivered(id, 60)
        wait_until(lambda: self.link()["backlog"] == 0, 30, 0.5, "an empty backlog")

    def test_sequences_have_no_gap_at_any_level(self):
        ids = [self.demo.submit(self.demo.penalties(1)).id for _ in range(8)]
        for id in ids:
            self.demo.delivered(id, 60)
        link = self.link()
        self.assertEqual(link["delivered"] + 1, link["next_sequence"])


class Impostor:
    """A server with a certificate of the right authority that answers what a test tells it to."""

    def __init__(self, demo):
        key, request, cert = (demo.path(suffix=s) for s in (".key", ".csr", ".pem"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
            request, "-subj", "/C=CN/O=Impostor/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        run(XINFU, "ca", "issue", "--dir", demo.dir / "ca", "--csr", request, "--out", cert)
        self.answer, self.seen = lambda path: (503, b""), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.seen.append(self.path)
                status, body = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Location", "/v1/submissions/" + "0" * 32)
                self.end_headers()
                self.wfile.write(body)
            do_PUT = do_GET = reply

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class HostileUpperLevel(DemoCase):
    def restart_city(self, change):
        """Ends the city's supervisor as an administrator would, changes its configuration, starts it again."""
        gateway = self.demo.pids()["gateway"][0]
        parent = int(re.search(r"PPid:\s+(\d+)", pathlib.Path(f"/proc/{gateway}/status").read_text()).group(1))
        os.kill(parent, signal.SIGTERM)
        wait_until(lambda: not pathlib.Path(f"/proc/{gateway}").exists(), 30, 0.1, "the city's end")
        wait_until(lambda: not pathlib.Path(f"/proc/{parent}").exists()
                   or "Z" in pathlib.Path(f"/proc/{parent}/stat").read_text().split()[2], 30, 0.1, "the supervisor's end")
        path = self.demo.dir / "city" / "xinfu.yaml"
        path.write_text(change(path.read_text()))
        log = open(self.demo.work / "city.log", "ab")
        self.supervisor = subprocess.Popen([BIN / "xinfud", "run", "--config", path, "--pid-file", self.demo["CITY_PIDS"]],
                                           stdout=log, stderr=log)
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 20, 0.2, "the city's return")

    def test_refusals_wrong_receipts_and_silence_from_above_never_count_as_delivery(self):
        earlier = self.demo.submit(self.demo.penalties(1))
        view = self.demo.delivered(earlier.id)
        receipt = next(a["receipt"] for a in view["acknowledgements"] if a["level"] == "province")
        impostor = Impostor(self.demo)
        real = self.demo["PROVINCE_URL"]
        try:
            self.restart_city(lambda text: text.replace(real, impostor.url))
            answers = [lambda path: (201, receipt.encode()), lambda path: (201, b"not a receipt"),
                       lambda path: (200, b""), lambda path: (500, b"oops"), lambda path: (302, b"")]
            ids = []
            for answer in answers:
                impostor.answer, before = answer, len(impostor.seen)
                ids.append(self.demo.submit(self.demo.penalties(1)).id)
                wait_until(lambda: len(impostor.seen) > before, 30, 0.1, "the courier's call")
                time.sleep(0.5)
                for id in ids:
                    states = {a["level"]: a["state"] for a in self.demo.submission(id).json["acknowledgements"]}
                    self.assertNotIn("delivered", states.values())
            self.restart_city(lambda text: text.replace(impostor.url, real))
            for id in ids:
                self.demo.delivered(id, 90)
        finally:
            impostor.close()
            if getattr(self, "supervisor", None):
                self.supervisor.terminate()
                self.supervisor.wait(30)


if __name__ == "__main__":
    unittest.main()

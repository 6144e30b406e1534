"""`xinfu push` against a server that does what a test tells it to: breaks, refuses early, answers with another receipt.

python3 push_test.py PATH-OF-XINFU
"""
import base64
import hashlib
import http.server
import json
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

XINFU = sys.argv.pop(1)


def receipt_about(body):
    leaf = json.dumps({"v": 1, "action": "submit", "result": "accepted",
                       "object": {"type": "submission", "digest": hashlib.sha256(body).hexdigest()}}).encode()
    root = hashlib.sha256(b"\0" + leaf).digest()
    signature = base64.b64encode(bytes(68)).decode()
    return (f"c2sp.org/tlog-proof@v1\nextra {base64.b64encode(leaf).decode()}\nindex 0\n\n"
            f"x/log\n1\n{base64.b64encode(root).decode()}\n\n\u2014 x/log {signature}\n").encode()


def problem(code, retry):
    return json.dumps({"code": code, "title": "Title", "detail": "Detail.", "detail_zh": "说明。", "retry": retry,
                       "defects": [{"line": 2, "field": "F", "code": "XF-4001", "detail": "d", "detail_zh": "d"}],
                       "receipt": "kept\n"}).encode()


class Push(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="xinfu-push-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.xinfu("ca", "init", "--dir", self.dir / "ca")
        for name, more in (("dept", []), ("server", ["--host", "127.0.0.1"])):
            self.xinfu("ca", "issue", "--dir", self.dir / "ca", "--key", self.dir / (name + ".key"), "--out",
                       self.dir / (name + ".pem"), "--cn", name, *more)
        self.file = self.dir / "file.csv"
        self.file.write_bytes(b"a,b\r\n1,2\r\n")
        self.bodies = []
        self.act = self.accept
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                outer.act(self)

            def do_GET(self):
                outer.answer(self, 403, problem("XF-2001", "never"), "application/problem+json")

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.dir / "server.pem", self.dir / "server.key")
        context.load_verify_locations(self.dir / "ca" / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    @staticmethod
    def xinfu(*arguments):
        done = subprocess.run([XINFU, *map(str, arguments)], capture_output=True, timeout=60)
        return done

    def push(self, *more):
        return self.xinfu("push", self.file, "--catalog", "c", "--url",
                          f"https://127.0.0.1:{self.server.server_port}", "--ca", self.dir / "ca" / "ca.pem", "--cert",
                          self.dir / "dept.pem", "--key", self.dir / "dept.key", *more)

    def answer(self, handler, status, body, kind="text/plain", **headers):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    def read(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.bodies.append(body)
        return body

    def accept(self, handler):
        self.answer(handler, 201, receipt_about(self.read(handler)), Location="/v1/submissions/1234")

    def signed(self):
        return (self.dir / "file.csv.p7m").read_bytes()

    def test_keeps_what_it_sent_and_what_it_got(self):
        done = self.push("--json")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout)["id"], "1234")
        self.assertEqual(self.bodies, [self.signed()])
        self.assertEqual((self.dir / "file.csv.receipt").read_bytes(), receipt_about(self.signed()))

    def test_sends_the_same_body_again_after_a_break(self):
        self.file.write_bytes(b"x" * 3_000_000)

        def break_once(handler):
            self.act = self.accept
            handler.rfile.read(100_000)
            handler.connection.close()
            handler.close_connection = True
        self.act = break_once
        done = self.push()
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.bodies, [self.signed()])

    def test_what_was_signed_before_is_sent_by_the_next_call(self):
        port = self.server.server_port
        dead = self.xinfu("push", self.file, "--catalog", "c", "--url", "https://127.0.0.1:1", "--ca",
                          self.dir / "ca" / "ca.pem", "--cert", self.dir / "dept.pem", "--key", self.dir / "dept.key")
        self.assertEqual(dead.returncode, 3, dead)
        before = self.signed()
        self.assertEqual(self.push().returncode, 0, port)
        self.assertEqual(self.bodies, [before])

    def test_an_early_refusal_ends_the_sending(self):
        self.file.write_bytes(b"x" * 60_000_000)

        def refuse(handler):
            self.answer(handler, 413, problem("XF-1102", "never"), "application/problem+json")
            handler.close_connection = True
        self.act = refuse
        done = self.push()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"XF-1102", done.stderr)

    def test_a_refusal_tells_its_defects_and_its_receipt_is_kept(self):
        def refuse(handler):
            self.read(handler)
            self.answer(handler, 422, problem("XF-5002", "never"), "application/problem+json")
        self.act = refuse
        done = self.push()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"line 2 F XF-4001", done.stdout)
        self.assertEqual((self.dir / "file.csv.refusal").read_bytes(), b"kept\n")
        self.assertFalse((self.dir / "file.csv.receipt").exists())

    def test_a_receipt_for_something_else_is_no_receipt(self):
        def lie(handler):
            self.read(handler)
            self.answer(handler, 201, receipt_about(b"another body"))
        self.act = lie
        self.assertEqual(self.push().returncode, 4)
        self.assertFalse((self.dir / "file.csv.receipt").exists())

        def rubbish(handler):
            self.read(handler)
            self.answer(handler, 201, b"thank you")
        self.act = rubbish
        self.assertEqual(self.push().returncode, 4)

    def test_another_authoritys_server_is_not_spoken_to(self):
        self.xinfu("ca", "init", "--dir", self.dir / "other")
        done = self.xinfu("push", self.file, "--catalog", "c", "--url", f"https://127.0.0.1:{self.server.server_port}",
                          "--ca", self.dir / "other" / "ca.pem", "--cert", self.dir / "dept.pem", "--key",
                          self.dir / "dept.key")
        self.assertEqual(done.returncode, 3, done)
        self.assertEqual(self.bodies, [])
        elsewhere = self.xinfu("push", self.file, "--catalog", "c", "--url",
                               f"https://localhost:{self.server.server_port}", "--ca", self.dir / "ca" / "ca.pem",
                               "--cert", self.dir / "dept.pem", "--key", self.dir / "dept.key")
        self.assertEqual(elsewhere.returncode, 3, elsewhere)
        self.assertEqual(self.bodies, [])


if __name__ == "__main__":
    unittest.main()

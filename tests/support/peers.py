"""Who may stand between two nodes, or in the place of the upper one."""
import http.server
import socket
import ssl
import threading
import time

from tests.support.demo import XINFU, run


class Relay:
    """Passes on what a lower node and an upper one say to each other, and keeps every byte of it. `flowing` cleared: it takes
    connections and passes on nothing; `pause`: seconds that each `most` octets take."""

    def __init__(self, port):
        self.flowing, self.pause, self.most = threading.Event(), 0, 65536
        self.flowing.set()
        self.target, self.conversations = ("127.0.0.1", port), []  # [bytes upwards, bytes downwards]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                lower, _ = self.listener.accept()
                upper = socket.create_connection(self.target)
            except OSError:
                return
            kept = [bytearray(), bytearray()]
            self.conversations.append(kept)
            for source, sink, into in ((lower, upper, kept[0]), (upper, lower, kept[1])):
                threading.Thread(target=self.pump, args=(source, sink, into), daemon=True).start()

    def pump(self, source, sink, into):
        try:
            while piece := source.recv(self.most):
                into += piece
                time.sleep(self.pause)
                self.flowing.wait()
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()

    def close(self):
        self.listener.close()


class Impostor:
    """A server with a certificate of the right authority that answers what a test tells it to."""

    def __init__(self, demo):
        key, request, cert = (demo.path(suffix=s) for s in (".key", ".csr", ".pem"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
            request, "-subj", "/C=CN/O=Impostor/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        run(XINFU, "ca", "issue", "--dir", demo.dir / "ca", "--csr", request, "--out", cert)
        self.answer, self.seen, self.requests = lambda path: (503, b""), [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.seen.append(self.path)
                outer.requests.append(self.requestline.encode() + b"\n" + self.headers.as_bytes() + body)
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

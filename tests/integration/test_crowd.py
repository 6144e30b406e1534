"""Very many connections that say nothing, or slowly, keep nobody from being served. OPS-02. How fast honest senders are served
meanwhile is measured by tests/bench."""
import contextlib
import re
import socket
import ssl
import unittest

from tests.support.demo import DemoCase, run, wait_until

CONNECTIONS, MANY = 256, 300  # that the node has, and that the crowd wants


class Crowd(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A minute for a handshake: it is not the end of their time that makes room.
        cls.demo.restart_city(lambda text: text.replace(
            "  limits:\n", f"  limits:\n    connections: {CONNECTIONS}\n    handshake_seconds: 60\n"))

    def setUp(self):
        self.host, port = self.demo["CITY_URL"].removeprefix("https://").split(":")
        self.port = int(port)
        self.held = contextlib.ExitStack()
        self.addCleanup(self.held.close)

    def connect(self, number):
        """From one of several addresses: one alone meets its own limit."""
        return self.held.enter_context(socket.create_connection((self.host, self.port), 30,
                                                                source_address=(f"127.77.0.{1 + number % 8}", 0)))

    def secure(self, number, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.demo["CA"])
        context.load_cert_chain(certificate, key)
        return self.held.enter_context(context.wrap_socket(self.connect(number), server_hostname=self.host))

    def gauge(self, name, labels=""):
        url = re.search(r"metrics:\s*\"?([0-9.:]+)", (self.demo.dir / "city" / "xinfu.yaml").read_text()).group(1)
        found = re.search(rf"(?m)^{name}{re.escape(labels)} (\S+)$", run("curl", "-sS", f"http://{url}/metrics").stdout.decode())
        return float(found.group(1)) if found else 0

    def assertSendersAreServed(self):
        for _ in range(3):
            answer = self.demo.submit(self.demo.penalties(1))
            self.assertEqual(answer.status, 201, answer)
        self.demo.delivered(answer.id)

    def assertMakesRoom(self, hold):
        gateway = self.demo.pids()["gateway"]
        kept = ssl.create_default_context(cafile=self.demo["CA"])
        kept.load_cert_chain(self.demo["DEPT_CERT"], self.demo["DEPT_KEY"])
        with socket.create_connection((self.host, self.port), 30) as plain, kept.wrap_socket(plain, server_hostname=self.host) as one:
            for number in range(MANY):
                hold(number)
            wait_until(lambda: self.gauge("xinfu_gateway_connections") >= CONNECTIONS / 2, 30, what="the crowd")
            # Nobody is given up who has been waited for for less than a second.
            wait_until(lambda: self.demo.curl("/v1/status").status == 200, 10, 0.2, "room for one more")
            self.assertSendersAreServed()
            one.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(one.recv(100).startswith(b"HTTP/1.1 200 "), "a known client's connection was given up for the crowd's")
        self.assertEqual(self.demo.pids()["gateway"], gateway)

    def test_connections_that_say_nothing(self):
        self.assertMakesRoom(self.connect)

    def test_handshakes_that_never_end(self):
        def begin(number):
            self.connect(number).sendall(bytes.fromhex("160301020001"))
        self.assertMakesRoom(begin)

    def test_strangers_that_prove_to_be_strangers_and_stay(self):
        certificate, key = self.demo.path(suffix=".pem"), self.demo.path(suffix=".key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=stranger",
            "-days", "2", "-keyout", key, "-out", certificate)

        def stay(number):
            with contextlib.suppress(OSError):
                self.secure(number, certificate, key)
        self.assertMakesRoom(stay)

    def test_a_department_that_asks_for_much_and_does_not_read(self):
        """Its answers were made and kept for it, megabytes a connection, while everybody else waited behind."""
        connections, each = 100, 60
        ask = b"GET /v1/catalogs/administrative-penalty HTTP/1.1\r\nHost: x\r\n\r\n" * each
        made = ("xinfu_gateway_requests_total", '{act="read_catalog",status="200"}')
        before = self.gauge(*made)
        for number in range(connections):
            self.secure(number, self.demo["DEPT2_CERT"], self.demo["DEPT2_KEY"]).sendall(ask)
        wait_until(lambda: self.gauge(*made) > before, 30, what="the first answers")
        self.assertSendersAreServed()
        last = [0]

        def stands_still():
            last.append(self.gauge(*made))
            return last[-1] == last[-2] > 0
        wait_until(stands_still, 60, 1, "an end of the answers made for nobody")
        self.assertLess(last[-1] - before, connections * each / 4)


if __name__ == "__main__":
    unittest.main()

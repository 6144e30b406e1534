"""Nobody between city and province reads along: not on the line, not on the disk, and not behind the TLS connection that
somebody else may end. A canary person is looked for in every byte. ENC-01, IDN-02, CHK-08."""
import pathlib
import socket
import unittest
import urllib.parse

from tests.support.canary import canary_file, readable
from tests.support.demo import DemoCase, run, wait_until
from tests.support.peers import Impostor, Relay

class Confidentiality(DemoCase):
    def sent(self, records):
        file = canary_file(self.demo, records)
        self.assertTrue(readable(file.read_bytes()), "what is looked for can be found")
        answer = self.demo.put(file)
        self.assertEqual(answer.status, 201, answer)
        return file, answer.id

    def port(self, node):
        return urllib.parse.urlsplit(self.demo[node + "_URL"]).port

    def test_nothing_readable_goes_over_the_line(self):
        real = self.demo["PROVINCE_URL"]
        relay = Relay(self.port("PROVINCE"))
        try:
            self.demo.restart_city(lambda text: text.replace(real, relay.url))
            size = 0
            for records in (1, 2000):  # with the task, and as a stream
                file, id = self.sent(records)
                self.demo.delivered(id, 60)
                size += file.stat().st_size
            self.demo.restart_city(lambda text: text.replace(relay.url, real))
        finally:
            relay.close()
        upwards = sum(len(up) for up, _ in relay.conversations)
        self.assertGreater(upwards, size, "the files did go this way")
        for conversation in relay.conversations:
            for octets in conversation:
                self.assertEqual(readable(octets), [])
                self.assertEqual(octets[:2], b"\x16\x03", "a TLS handshake, and nothing before it")

    def test_nothing_readable_reaches_whoever_ends_the_connection(self):
        """Somebody with a certificate of the right authority in the province's place: the parcel is still closed."""
        real = self.demo["PROVINCE_URL"]
        impostor = Impostor(self.demo)
        try:
            self.demo.restart_city(lambda text: text.replace(real, impostor.url))
            for records in (1, 2000):
                before = len(impostor.requests)
                _, id = self.sent(records)
                wait_until(lambda: any(r.startswith(b"PUT ") for r in impostor.requests[before:]), 30, 0.1, "a parcel")
            for request in impostor.requests:
                self.assertEqual(readable(request), [])
            self.demo.restart_city(lambda text: text.replace(impostor.url, real))
            self.demo.delivered(id, 90)
        finally:
            impostor.close()
        parcels = [r for r in impostor.requests if r.startswith(b"PUT ")]
        inside = self.demo.path(parcels[0].split(b"\n\n", 1)[1], ".p7e")
        shown = run("openssl", "asn1parse", "-inform", "DER", "-in", inside).stdout
        self.assertIn(b"authEnvelopedData", shown)

    def test_nothing_readable_lies_on_a_disk(self):
        _, id = self.sent(1)
        _, large = self.sent(2000)
        self.demo.delivered(id)
        self.demo.delivered(large)
        seen = 0
        for node in ("CITY", "PROVINCE", "NATION"):
            for path in pathlib.Path(self.demo[node + "_STATE"]).parent.rglob("*"):
                if path.is_file():
                    seen += 1
                    self.assertEqual(readable(path.read_bytes()), [], path)
        self.assertGreater(seen, 20)

    def test_a_node_does_not_speak_in_the_clear(self):
        file = canary_file(self.demo).read_bytes()
        before = len(self.demo.leaves("PROVINCE"))
        for request in (b"PUT /v1/submissions/administrative-penalty/city.province.1 HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(file) + file, b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port("PROVINCE")), 10) as plain:
                plain.settimeout(30)
                answer = b""
                try:
                    plain.sendall(request)
                    while piece := plain.recv(4096):
                        answer += piece
                except ConnectionError:
                    pass  # closed on us
            self.assertIn(answer[:2], (b"", b"\x15\x03"), "an alert at most, and never HTTP")
        self.assertNotIn("submit", [leaf["action"] for leaf in self.demo.leaves("PROVINCE")[before:]])


if __name__ == "__main__":
    unittest.main()

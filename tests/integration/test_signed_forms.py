"""Every form in which honest tools sign is taken, with stock OpenSSL and Bouncy Castle as the tools; what is wrong says
what is wrong. CHK-02, IDN-05."""
import hashlib
import re
import unittest

from tests.support.bouncycastle import BouncyCastle
from tests.support.demo import DemoCase, receipt_leaf, run


class SignedForms(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bc = BouncyCastle(cls.demo.work / "classes")

    def taken(self, file, records=2):
        answer = self.demo.put(file)
        self.assertEqual(answer.status, 201, answer)
        leaf = receipt_leaf(answer.text)
        self.assertEqual(leaf["object"]["digest"], hashlib.sha256(file.read_bytes()).hexdigest())
        self.assertEqual(leaf["counts"]["stored"], records)
        self.demo.verify_receipt(answer.body, file)
        return answer

    def refused(self, file, code):
        answer = self.demo.put(file)
        self.assertProblem(answer, answer.status, code)
        return answer

    def original(self, id):
        answer = self.demo.curl(f"/v1/submissions/{id}/original")
        self.assertEqual(answer.status, 200, answer)
        return answer.body

    def pem(self, content):
        return self.demo.sign(content, "DEPT", "-outform", "PEM").read_text()

    def file(self, text):
        return self.demo.path(text.encode(), ".pem")

    def test_pem_as_openssl_writes_it_and_as_others_do(self):
        for change in (lambda text: text, lambda text: text.replace("\n", "\r\n"),
                       lambda text: text.replace(" CMS-", " PKCS7-"),
                       lambda text: re.sub(r"(?<=[A-Za-z0-9+/=])\n(?=[A-Za-z0-9+/])", "", text)):
            content = self.demo.penalties(2)
            file = self.file(change(self.pem(content)))
            answer = self.taken(file)
            self.assertEqual(self.original(answer.id), file.read_bytes(), "the stored original is the body as PUT")
            content_digest = hashlib.sha256(content).hexdigest()
            self.assertEqual(receipt_leaf(answer.text)["object"]["content"], content_digest)

    def test_pem_of_any_size_is_delivered_upwards(self):
        for count in (3, 2000):
            file = self.file(self.pem(self.demo.penalties(count)))
            answer = self.taken(file, count)
            self.assertEqual(self.original(answer.id), file.read_bytes())
            self.demo.delivered(answer.id)

    def test_the_same_signed_file_in_armour_is_the_same_file(self):
        content, name = self.demo.penalties(1), "armour.p7m"
        der = self.demo.put(self.demo.sign(content), name)
        self.assertEqual(der.status, 201, der)
        pem = self.demo.put(self.file(self.pem(content)), name)
        self.assertEqual(pem.status, 200, pem)
        self.assertEqual(receipt_leaf(pem.text), receipt_leaf(der.text))

    def test_hostile_armour_is_refused_with_its_reason(self):
        for count in (1, 400):  # comes with the request, and as a stream
            text = self.pem(self.demo.penalties(count))
            middle = len(text) // 2
            self.refused(self.file(text.replace(" CMS-", " CERTIFICATE-")), "XF-3040")
            self.refused(self.file(text[:middle] + "!" + text[middle + 1:]), "XF-3030")
            self.refused(self.file(text[:middle] + "\n\n" + text[middle:]), "XF-3030")
            self.refused(self.file(text.replace("END CMS", "END PKCS7")), "XF-3030")
            self.refused(self.file("-----BEGIN CMS-----\nProc-Type: 4,ENCRYPTED\n\n" + text.split("\n", 1)[1]), "XF-3030")
            self.refused(self.file(text[:middle]), "XF-3003")
            self.refused(self.file(text[:-3]), "XF-3003")
            self.refused(self.file(text + text), "XF-3004")
            self.refused(self.file(text + "x"), "XF-3004")
        self.refused(self.file("-----BEGIN CMS-----\n" + "A" * 4_000_000), "XF-3001")
        self.refused(self.file("-----BEGIN " + "C" * 1_000_000), "XF-3030")
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201, "and the node goes on")

    def test_what_openssl_can_sign(self):
        for options in ((), ("-stream",), ("-cades",), ("-keyid",), ("-nocerts",), ("-nosmimecap",), ("-md", "sha512"),
                        ("-certfile", self.demo["CA"]), ("-keyid", "-nocerts", "-stream", "-cades")):
            with self.subTest(options=options):
                self.demo.delivered(self.taken(self.demo.sign(self.demo.penalties(2), "DEPT", *options)).id)

    def test_what_bouncy_castle_signs(self):
        for options in ((), ("der",), ("stream",), ("keyid",), ("nocerts",), ("sha384",), ("stream", "keyid", "nocerts")):
            with self.subTest(options=options):
                source, out = self.demo.path(self.demo.penalties(20)), self.demo.path(suffix=".p7m")
                self.bc("sign", self.demo["DEPT_CERT"], self.demo["DEPT_KEY"], source, out, *options)
                self.demo.delivered(self.taken(out, 20).id)
        self.bc("sign", self.demo["DEPT_CERT"], self.demo["DEPT_KEY"], source, out, "detached")
        self.refused(out, "XF-3002")

    def test_certificates_left_out_are_looked_up_among_the_senders_own(self):
        for option in ("-nocerts", "-keyid"):
            file = self.demo.sign(self.demo.penalties(1), "DEPT2", option, "-nocerts")
            answer = self.demo.put(file)  # as DEPT
            self.assertProblem(answer, 422, "XF-3012")

    def test_a_converted_copy_was_signed_and_that_is_said(self):
        """Without -binary openssl signs CR LF; a tool then puts the file with its LF back in."""
        for count in (1, 2000):
            content = self.demo.penalties(count).replace(b"\r\n", b"\n")
            source, out = self.demo.path(content), self.demo.path(suffix=".p7s")
            run("openssl", "cms", "-sign", "-in", source, "-signer", self.demo["DEPT_CERT"], "-inkey",
                self.demo["DEPT_KEY"], "-outform", "DER", "-out", out)
            self.refused(self.demo.path(attached(out.read_bytes(), content)), "XF-3015")
            changed = content.replace("测试".encode(), "检验".encode())
            self.refused(self.demo.path(attached(out.read_bytes(), changed)), "XF-3009")
        # Attached, what was converted is also what is inside, and that is fine.
        source, out = self.demo.path(self.demo.penalties(1).replace(b"\r\n", b"\n")), self.demo.path(suffix=".p7m")
        run("openssl", "cms", "-sign", "-nodetach", "-in", source, "-signer", self.demo["DEPT_CERT"], "-inkey",
            self.demo["DEPT_KEY"], "-outform", "DER", "-out", out)
        self.taken(out, 1)


def element(tag, *parts):
    body = b"".join(parts)
    size = (len(body).bit_length() + 7) // 8
    length = bytes([len(body)]) if len(body) < 0x80 else bytes([0x80 | size]) + len(body).to_bytes(size, "big")
    return bytes([tag]) + length + body


def children(data):
    """Contents of a DER element, as whole elements."""
    def header(at):
        length, start = data[at + 1], at + 2
        if length >= 0x80:
            octets = length & 0x7F
            length, start = int.from_bytes(data[start:start + octets], "big"), start + octets
        return start, start + length
    at, end = header(0)
    found = []
    while at < end:
        stop = header(at)[1]
        found.append(data[at:stop])
        at = stop
    return found


def attached(detached, content):
    kind, explicit = children(detached)
    version, digests, encapsulated, *rest = children(children(explicit)[0])
    with_content = element(0x30, children(encapsulated)[0], element(0xA0, element(0x04, content)))
    return element(0x30, kind, element(0xA0, element(0x30, version, digests, with_content, *rest)))


if __name__ == "__main__":
    unittest.main()

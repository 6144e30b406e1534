"""Departments bring the keys they have: RSA, P-256, P-384, Ed25519, to sign in with and to sign files with. The node is made
by hand, as an administrator makes one. CHK-02, IDN-04, IDN-05."""
import json
import socket
import subprocess
import unittest

from tests.support.bouncycastle import BouncyCastle
from tests.support.demo import BIN, XINFU, DemoCase, receipt_leaf, run, wait_until

UNIT, UNIT_NAME = "112199000000000198", "示例市市场监督管理局"
KINDS = {"RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA4096": ["RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
         "P384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "P256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "ED25519": ["ED25519"], "RSA1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class KeyKinds(DemoCase):
    """The demo lends its authority and its persons."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        demo = cls.demo
        cls.bc = BouncyCastle(demo.work / "classes")
        for kind, algorithm in KINDS.items():
            key, request = demo.path(suffix=".key"), demo.path(suffix=".csr")
            run("openssl", "genpkey", "-algorithm", *algorithm, "-out", key)
            run("openssl", "req", "-new", "-key", key, "-subj", f"/CN=demo {kind}", "-out", request)
            demo.env[f"XINFU_{kind}_KEY"] = str(key)
            demo.env[f"XINFU_{kind}_CERT"] = str(cls.issue(request, "--unit", UNIT, "--organization", UNIT_NAME))
        # Ed25519 is no key for TLS: who signs with it signs in with another one of the same account.
        bundle = demo.path((demo.work / demo["P256_CERT"]).read_bytes() + (demo.work / demo["ED25519_CERT"]).read_bytes())
        cls.node = demo.home / "by-hand"
        port, metrics = free_port(), free_port()
        made = json.loads(run(
            XINFU, "init", "--json", "--dir", cls.node, "--node", "by-hand", "--ca", demo["CA"], "--url-host", "127.0.0.1",
            "--gateway-listen", f"127.0.0.1:{port}",
            "--person", "security_administrator=" + demo["SECURITY_ADMIN_CERT"], "--person", "approver=" + demo["APPROVER_CERT"],
            "--person", "system_administrator=" + demo["SYSTEM_ADMIN_CERT"], "--person", "auditor=" + demo["AUDITOR_CERT"],
            *(part for kind in ("RSA", "RSA4096", "P384") for part in ("--machine", "submitter=" + demo[kind + "_CERT"])),
            "--machine", f"submitter={bundle}").stdout)
        certificates = cls.node / "state" / "certificates"
        for request, name in ((made["tls_request"], "tls"), (made["parcel_request"], "parcel")):
            certificates.joinpath(name + ".pem").write_bytes(cls.issue(request).read_bytes())
        configuration = cls.node / "xinfu.yaml"
        text = configuration.read_text()
        assert '"127.0.0.1:9464"' in text, text
        configuration.write_text(text.replace('"127.0.0.1:9464"', f'"127.0.0.1:{metrics}"'))
        demo.env["XINFU_BYHAND_URL"] = f"https://127.0.0.1:{port}"
        demo.env["XINFU_BYHAND_LOG_KEY"] = made["log_key"]
        with open(demo.dir / "by-hand.log", "ab") as log:
            cls.supervisor = subprocess.Popen([BIN / "xinfud", "run", "--config", configuration], stdout=log, stderr=log)
        wait_until(lambda: demo.curl("/v1/status", who="P384", node="BYHAND").status == 200, 20, 0.2, "the node's start")

    @classmethod
    def tearDownClass(cls):
        cls.supervisor.terminate()
        cls.supervisor.wait(30)
        super().tearDownClass()

    @classmethod
    def issue(cls, request, *options):
        out = cls.demo.path(suffix=".pem")
        run(XINFU, "ca", "issue", "--dir", cls.demo.dir / "ca", "--csr", request, "--out", out, *options)
        return out

    def taken(self, file, who, *options):
        answer = self.demo.put(file, who=who, node="BYHAND", options=options)
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(receipt_leaf(answer.text)["counts"]["stored"], 2)
        self.demo.verify_receipt(answer.body, file, "BYHAND")

    def test_openssl_signs_with_rsa_and_p384(self):
        pss = ("-keyopt", "rsa_padding_mode:pss")
        for who, options in (("RSA", ()), ("RSA", ("-md", "sha512")), ("RSA", pss),  # salt as long as it can be
                             ("RSA", (*pss, "-keyopt", "rsa_pss_saltlen:digest")), ("RSA", (*pss, "-md", "sha384")),
                             ("RSA4096", ("-nocerts", *pss)),
                             ("RSA4096", ("-stream",)),  # OpenSSL 3.0 fails itself at PSS with -stream
                             ("P384", ()), ("P384", ("-md", "sha384", "-cades")), ("P384", ("-keyid", "-nocerts"))):
            with self.subTest(who=who, options=options):
                self.taken(self.demo.sign(self.demo.penalties(2), who, *options), who)

    def test_bouncy_castle_signs_with_rsa_p384_and_ed25519(self):
        for who, options in (("RSA", ()), ("RSA", ("pss",)), ("RSA", ("pss", "sha384", "stream")), ("P384", ("sha384",)),
                             ("ED25519", ("sha512",)), ("ED25519", ("sha512", "stream", "keyid", "nocerts"))):
            with self.subTest(who=who, options=options):
                source, out = self.demo.path(self.demo.penalties(2)), self.demo.path(suffix=".p7m")
                self.bc("sign", self.demo[who + "_CERT"], self.demo[who + "_KEY"], source, out, *options)
                self.taken(out, "P256" if who == "ED25519" else who)

    def test_each_signs_in_by_either_tls(self):
        for who in ("RSA", "RSA4096", "P256", "P384"):
            for version in ("1.2", "1.3"):
                with self.subTest(who=who, version=version):
                    answer = self.demo.curl("/v1/status", "--tls-max", version, "--tlsv" + version, who=who, node="BYHAND")
                    self.assertEqual(answer.status, 200, answer)

    def test_a_flipped_bit_of_any_kinds_signature_is_noticed(self):
        for who in ("RSA", "P384"):
            file = self.demo.sign(self.demo.penalties(1), who)
            body = bytearray(file.read_bytes())
            body[-9] ^= 1
            answer = self.demo.put(self.demo.path(bytes(body)), who=who, node="BYHAND")
            self.assertProblem(answer, 422, "XF-3010")

    def test_a_short_rsa_key_neither_signs_nor_signs_in(self):
        answer = self.demo.curl("/v1/status", who="RSA1024", node="BYHAND")
        self.assertNotEqual(answer.exit_code, 0, "no handshake")
        file = self.demo.sign(self.demo.penalties(1), "RSA1024")
        answer = self.demo.put(file, who="RSA", node="BYHAND")
        self.assertEqual(answer.status, 422, answer)


if __name__ == "__main__":
    unittest.main()

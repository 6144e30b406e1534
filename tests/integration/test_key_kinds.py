"""Departments bring the keys they have: RSA, P-256, P-384, Ed25519, to sign in with and to sign files with, and every level
takes what they signed. The nodes are made by hand, as administrators make them. CHK-02, IDN-04, IDN-05, UP-01."""
import unittest

from tests.support.bouncycastle import BouncyCastle
from tests.support.by_hand import ByHand
from tests.support.demo import XINFU, DemoCase, receipt_leaf, run

UNIT, UNIT_NAME = "112199000000000198", "示例市市场监督管理局"
KINDS = {"RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA4096": ["RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
         "P384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "P256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "ED25519": ["ED25519"], "RSA1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]}


class KeyKinds(DemoCase):
    """The demo lends its authority and its persons."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        demo = cls.demo
        cls.bc = BouncyCastle(demo.work / "classes")
        for kind, algorithm in KINDS.items():
            key, request, out = (demo.path(suffix=suffix) for suffix in (".key", ".csr", ".pem"))
            run("openssl", "genpkey", "-algorithm", *algorithm, "-out", key)
            run("openssl", "req", "-new", "-key", key, "-subj", f"/CN=demo {kind}", "-out", request)
            run(XINFU, "ca", "issue", "--dir", demo.dir / "ca", "--csr", request, "--out", out, "--unit", UNIT, "--organization",
                UNIT_NAME)
            demo.env[f"XINFU_{kind}_KEY"] = str(key)
            demo.env[f"XINFU_{kind}_CERT"] = str(out)
        # Ed25519 is no key for TLS: who signs with it signs in with another one of the same account.
        bundle = demo.path((demo.work / demo["P256_CERT"]).read_bytes() + (demo.work / demo["ED25519_CERT"]).read_bytes())
        machines = [demo[kind + "_CERT"] for kind in ("RSA", "RSA4096", "P384")] + [bundle]
        cls.nodes = ByHand(demo, [word for path in machines for word in ("--machine", f"submitter={path}")], UNIT)
        cls.nodes.start("P384")

    @classmethod
    def tearDownClass(cls):
        cls.nodes.stop()
        super().tearDownClass()

    def taken(self, file, who):
        answer = self.demo.put(file, who=who, node="HAND_CITY")
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(receipt_leaf(answer.text)["counts"]["stored"], 2)
        self.demo.verify_receipt(answer.body, file, "HAND_CITY")
        return answer

    def assertDelivered(self, answer, who):
        """Both levels above looked at the department's signature themselves, and have the records."""
        view = self.demo.delivered(answer.id, 60, who=who, node="HAND_CITY")
        for level in view["acknowledgements"]:
            self.demo.verify_receipt(level["receipt"], node="HAND_" + level["node"].upper())
            leaf, here = receipt_leaf(level["receipt"]), receipt_leaf(answer.text)
            self.assertEqual(leaf["object"]["content"], here["object"]["content"])
            self.assertEqual(leaf["counts"]["stored"], 2)

    def test_openssl_signs_with_rsa_and_p384_for_every_level(self):
        pss = ("-keyopt", "rsa_padding_mode:pss")
        for who, options in (("RSA", ()), ("RSA", ("-md", "sha512")), ("RSA", pss),  # salt as long as it can be
                             ("RSA", (*pss, "-keyopt", "rsa_pss_saltlen:digest")), ("RSA", (*pss, "-md", "sha384")),
                             ("RSA4096", ("-nocerts", *pss)),
                             ("RSA4096", ("-stream",)),  # OpenSSL 3.0 fails itself at PSS with -stream
                             ("P384", ()), ("P384", ("-md", "sha384", "-cades")), ("P384", ("-keyid", "-nocerts"))):
            with self.subTest(who=who, options=options):
                self.assertDelivered(self.taken(self.demo.sign(self.demo.penalties(2), who, *options), who), who)

    def test_bouncy_castle_signs_with_rsa_p384_and_ed25519_for_every_level(self):
        for who, options in (("RSA", ()), ("RSA", ("pss",)), ("RSA", ("pss", "sha384", "stream")), ("P384", ("sha384",)),
                             ("ED25519", ("sha512",)), ("ED25519", ("sha512", "stream", "keyid", "nocerts"))):
            with self.subTest(who=who, options=options):
                source, out = self.demo.path(self.demo.penalties(2)), self.demo.path(suffix=".p7m")
                self.bc("sign", self.demo[who + "_CERT"], self.demo[who + "_KEY"], source, out, *options)
                known_by = "P256" if who == "ED25519" else who
                self.assertDelivered(self.taken(out, known_by), known_by)

    def test_each_signs_in_by_either_tls(self):
        for who in ("RSA", "RSA4096", "P256", "P384"):
            for version in ("1.2", "1.3"):
                with self.subTest(who=who, version=version):
                    answer = self.demo.curl("/v1/status", "--tls-max", version, "--tlsv" + version, who=who, node="HAND_CITY")
                    self.assertEqual(answer.status, 200, answer)

    def test_a_flipped_bit_of_any_kinds_signature_is_noticed(self):
        for who in ("RSA", "P384"):
            file = self.demo.sign(self.demo.penalties(1), who)
            body = bytearray(file.read_bytes())
            body[-9] ^= 1
            answer = self.demo.put(self.demo.path(bytes(body)), who=who, node="HAND_CITY")
            self.assertProblem(answer, 422, "XF-3010")

    def test_a_short_rsa_key_neither_signs_nor_signs_in(self):
        answer = self.demo.curl("/v1/status", who="RSA1024", node="HAND_CITY")
        self.assertNotEqual(answer.exit_code, 0, "no handshake")
        file = self.demo.sign(self.demo.penalties(1), "RSA1024")
        answer = self.demo.put(file, who="RSA", node="HAND_CITY")
        self.assertEqual(answer.status, 422, answer)


if __name__ == "__main__":
    unittest.main()

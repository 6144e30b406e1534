"""Encrypted for the node and for nobody else: what stock tools put into envelopes is opened, whatever is weaker or altered
is refused, and who has not the key learns nothing. ENC-01."""
import datetime
import hashlib
import json
import pathlib
import shutil
import unittest

from tests.support.bouncycastle import BouncyCastle
from tests.support.demo import XINFU, DemoCase, receipt_leaf, run

EC = ("-keyopt", "ecdh_kdf_md:sha256")
OAEP = ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256")


class Envelopes(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bc = BouncyCastle(cls.demo.work / "classes")

    def seal(self, file, *options, certificate=None, cipher="-aes-256-gcm", form="DER"):
        out = self.demo.path(suffix=".p7e")
        run("openssl", "cms", "-encrypt", "-binary", "-in", file, "-outform", form, "-out", out, cipher, "-recip",
            certificate or self.demo["CITY_ENVELOPE"], *options)
        return out

    def signed(self, count=2, *options):
        return self.demo.sign(self.demo.penalties(count), "DEPT", *options)

    def taken(self, envelope, inside, records=2):
        answer = self.demo.put(envelope)
        self.assertEqual(answer.status, 201, answer)
        leaf = receipt_leaf(answer.text)
        self.assertEqual(leaf["object"]["digest"], hashlib.sha256(envelope.read_bytes()).hexdigest())
        self.assertEqual(leaf["counts"]["stored"], records)
        self.demo.verify_receipt(answer.body, envelope)
        original = self.demo.curl(f"/v1/submissions/{answer.id}/original")
        self.assertEqual(original.body, inside.read_bytes(), "kept is the signed file, which proves something by itself")
        return answer

    def refused(self, file, code, **more):
        answer = self.demo.put(file, **more)
        body = self.assertProblem(answer, answer.status, code)
        self.assertLess(answer.status, 500)
        return body

    def test_what_openssl_encrypts(self):
        for certificate, options in ((None, EC), (None, EC + ("-keyid",)), (None, EC + ("-stream",)),
                                     (self.demo["CITY_ENVELOPE_RSA"], OAEP),
                                     (self.demo["CITY_ENVELOPE_RSA"], OAEP + ("-keyid", "-stream"))):
            with self.subTest(options=options):
                inside = self.signed()
                self.taken(self.seal(inside, *options, certificate=certificate), inside)

    def test_what_bouncy_castle_encrypts(self):
        for certificate in ("CITY_ENVELOPE", "CITY_ENVELOPE_RSA"):
            for options in ((), ("der",)):
                inside, out = self.signed(), self.demo.path(suffix=".p7e")
                self.bc("envelope", self.demo[certificate], inside, out, *options)
                self.taken(out, inside)

    def test_an_envelope_in_pem(self):
        inside = self.signed(50)
        self.taken(self.seal(inside, *EC, form="PEM"), inside, 50)

    def test_large_ones_are_delivered_upwards(self):
        for options in ((), ("-stream",)):
            inside = self.signed(4000, *options)
            answer = self.taken(self.seal(inside, *EC, *options), inside, 4000)
            self.demo.delivered(answer.id)

    def test_the_same_signed_file_in_an_envelope_is_the_same_file(self):
        inside, name = self.signed(), "envelope.p7m"
        first = self.demo.put(self.seal(inside, *EC), name)
        self.assertEqual(first.status, 201, first)
        for again in (self.seal(inside, *EC), inside):
            answer = self.demo.put(again, name)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(receipt_leaf(answer.text), receipt_leaf(first.text))

    def test_weaker_ways_are_refused_and_named(self):
        inside = self.signed()
        rsa = self.demo["CITY_ENVELOPE_RSA"]
        self.refused(self.seal(inside), "XF-3044")  # ECDH with the SHA-1 KDF, the tool's default
        self.refused(self.seal(inside, certificate=rsa), "XF-3044")  # PKCS #1 v1.5, the tool's default
        self.refused(self.seal(inside, "-keyopt", "rsa_padding_mode:oaep", certificate=rsa), "XF-3044")
        self.refused(self.seal(inside, *EC, cipher="-aes-128-gcm"), "XF-3044")  # wrapped by AES-128
        self.refused(self.seal(inside, *OAEP, certificate=rsa, cipher="-aes-128-gcm"), "XF-3045")
        self.refused(self.seal(inside, *EC, cipher="-aes-256-cbc"), "XF-3041")
        self.refused(self.seal(inside, *EC, "-recip", rsa, *OAEP), "XF-3043")
        self.refused(self.seal(self.seal(inside, *EC), *EC), "XF-3048")
        self.refused(self.seal(self.demo.path(b"", ".empty"), *EC), "XF-3049")
        self.refused(self.seal(inside, *EC, certificate=self.demo["PROVINCE_ENVELOPE"]), "XF-3042")
        self.refused(self.seal(self.demo.sign(self.demo.penalties(1), "DEPT", "-outform", "PEM"), *EC), "XF-3034")
        whole = self.seal(inside, *EC).read_bytes()
        self.refused(self.demo.path(whole + b"\0"), "XF-3004")
        self.refused(self.demo.path(whole[:-20]), "XF-3003")

    def test_whatever_is_wrong_inside_has_one_answer(self):
        """A wrong key, an altered text, an altered tag: one answer, at one place, and nothing of what was read."""
        wrong = self.demo.penalties(3).replace("市监罚字".encode(), "".encode(), 1)  # has a warning or a defect
        inside = self.demo.sign(wrong)
        whole = self.seal(inside, *EC).read_bytes()
        rsa = self.seal(inside, *OAEP, certificate=self.demo["CITY_ENVELOPE_RSA"]).read_bytes()
        answers = set()
        inside_size = inside.stat().st_size
        text = len(whole) - 18 - inside_size
        key = whole.index(bytes.fromhex("0428"), 200) + 2  # the wrapped key, 40 octets
        for at in (key, key + 39, text, text + 1, text + 300, text + inside_size - 1, len(whole) - 16, len(whole) - 1):
            changed = bytearray(whole)
            changed[at] ^= 0x20
            body = self.refused(self.demo.path(bytes(changed)), "XF-3046")
            for different in ("receipt", "id"):
                body.pop(different)
            answers.add(str(sorted(body.items())))
        rsa_text = len(rsa) - 18 - inside_size
        for at in (rsa_text - 200, rsa_text - 100, rsa_text, len(rsa) - 1):
            changed = bytearray(rsa)
            changed[at] ^= 0x01
            body = self.refused(self.demo.path(bytes(changed)), "XF-3046")
            for different in ("receipt", "id"):
                body.pop(different)
            answers.add(str(sorted(body.items())))
        self.assertEqual(len(answers), 1, answers)

    def test_defects_are_told_to_the_sender_and_to_nobody_else(self):
        content = self.demo.penalties(2, CF_XDR_SHXYM="919900000000000000")
        envelope = self.seal(self.demo.sign(content), *EC)
        self.assertTrue(self.refused(envelope, "XF-5002")["defects"])
        # Somebody else who got hold of it learns nothing from it.
        answer = self.demo.put(envelope, who="DEPT2")
        body = self.assertProblem(answer, 422)
        self.assertIn(body["code"], ("XF-3011", "XF-3012"))
        self.assertFalse(body.get("defects"), body)

    def test_the_certificate_is_for_encryption_alone(self):
        for name, usage in (("CITY_ENVELOPE", "Key Agreement"), ("CITY_ENVELOPE_RSA", "Key Encipherment")):
            text = run("openssl", "x509", "-in", self.demo[name], "-noout", "-text").stdout.decode()
            self.assertIn(usage, text)
            self.assertNotIn("Digital Signature", text)
            run("openssl", "verify", "-CAfile", self.demo["CA"], self.demo[name])


class Renewal(DemoCase):
    """New envelope keys: senders fetch the new certificate, and the old one counts for a stated time beside it."""

    def setUp(self):
        self.city = self.demo.dir / "city"
        self.installed = pathlib.Path(self.demo["CITY_STATE"]) / "certificates" / "envelope.pem"

    def seal(self, file, certificate, *options):
        out = self.demo.path(suffix=".p7e")
        run("openssl", "cms", "-encrypt", "-binary", "-in", file, "-outform", "DER", "-out", out, "-aes-256-gcm", "-recip",
            certificate, *options)
        return out

    def renew(self, check=True):
        return run(XINFU, "envelope", "renew", "--config", self.city / "xinfu.yaml", "--json", check=check)

    def fetched(self, kind, **more):
        answer = self.demo.curl(f"/v1/certificates/{kind}", **more)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["content-type"], "application/pem-certificate-chain")
        return self.demo.path(answer.body, ".pem")

    def issue(self, request, days_ago):
        """A certificate of the demo's authority that began so many days ago."""
        work = self.demo.path()
        work.mkdir()
        (work / "index.txt").touch()
        (work / "conf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndir={work}\ndatabase={work}/index.txt\nnew_certs_dir={work}\nrand_serial=yes\n"
            "default_md=sha256\npolicy=p\nemail_in_dn=no\n[p]\ncommonName=supplied\ncountryName=optional\n"
            "organizationName=optional\norganizationIdentifier=optional\n[x]\nkeyUsage=critical,"
            + ("keyEncipherment" if "rsa" in pathlib.Path(request).name else "keyAgreement") + "\nsubjectKeyIdentifier=hash\n")
        began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days_ago)
        run("openssl", "ca", "-batch", "-config", work / "conf", "-in", request, "-out", work / "out.pem", "-notext",
            "-keyfile", self.demo.dir / "ca" / "ca.key", "-cert", self.demo["CA"], "-extensions", "x",
            "-startdate", began.strftime("%Y%m%d%H%M%SZ"), "-days", "400")
        return (work / "out.pem").read_text()

    def test_the_old_key_opens_beside_the_new_one_for_the_stated_time(self):
        refused = self.renew(check=False)
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("running", refused.stdout.decode())
        old = {kind: self.fetched(kind) for kind in ("envelope", "envelope-rsa")}
        self.assertEqual(old["envelope"].read_bytes(), pathlib.Path(self.demo["CITY_ENVELOPE"]).read_bytes())
        options = {"envelope": EC, "envelope-rsa": OAEP}
        requests = {}
        shutil.copy(self.city / "envelope.csr", self.city / "envelope.csr.old")
        shutil.copy(self.city / "envelope-rsa.csr", self.city / "envelope-rsa.csr.old")

        def rotate():
            first, second = json.loads(self.renew().stdout), json.loads(self.renew().stdout)
            self.assertEqual((first["renewed"], second["renewed"]), (True, False), "the pair in use is not thrown away")
            requests.update(zip(("envelope", "envelope-rsa"), second["envelope_requests"]))

        # Without a certificate nobody knows the new keys: nothing changes.
        self.demo.restart_city(meanwhile=rotate)
        self.assertIn("renew_envelope_keys", [leaf["action"] for leaf in self.demo.leaves()])
        self.demo.log_verify()
        for kind, certificate in old.items():
            self.assertEqual(self.fetched(kind).read_bytes(), certificate.read_bytes())
            self.assertEqual(self.demo.put(self.seal(self.demo.sign(self.demo.penalties(1)), certificate, *options[kind])).status, 201)

        def install(began, old_began):
            new = "".join(self.issue(request, began) for request in requests.values())
            former = "".join(self.issue(str(request) + ".old", old_began) for request in requests.values())
            self.installed.write_text(new + former)
            return {kind: self.demo.path(part.encode(), ".pem") for kind, part in zip(
                requests, ["-----BEGIN" + p for p in former.split("-----BEGIN")[1:]])}

        certificates = {}
        self.demo.restart_city(meanwhile=lambda: certificates.update(install(3, 10)))
        for kind, certificate in certificates.items():
            new = self.fetched(kind, who="DEPT2")
            self.assertNotEqual(new.read_bytes(), certificate.read_bytes())
            for recipient in (new, certificate):
                inside = self.demo.sign(self.demo.penalties(1))
                answer = self.demo.put(self.seal(inside, recipient, *options[kind]))
                self.assertEqual(answer.status, 201, (kind, answer))
                self.demo.delivered(answer.id)
        # The new ones began three days ago: with a day of overlap the old ones are over.
        self.demo.restart_city(lambda text: text.replace("vault:\n", "vault:\n  envelope_overlap_days: 1\n"))
        for kind, certificate in certificates.items():
            inside = self.demo.sign(self.demo.penalties(1))
            body = self.assertProblem(self.demo.put(self.seal(inside, certificate, *options[kind])), 422, "XF-3050")
            self.assertIn("/v1/certificates/envelope", run(XINFU, "explain", body["code"]).stdout.decode())
            self.assertEqual(self.demo.put(self.seal(inside, self.fetched(kind), *options[kind])).status, 201)
        self.assertProblem(self.demo.curl("/v1/certificates/other"), 404)
        self.assertProblem(self.demo.curl("/v1/certificates/envelope", "-X", "POST"), 405)


if __name__ == "__main__":
    unittest.main()

"""Hostile and broken files: each is refused with its own reason, leaves nothing behind, and is on the log.
IDN-04, CHK-02 (forge, alter)."""
import pathlib
import random
import unittest
import urllib.parse

from tests.support.demo import DemoCase, receipt_leaf, run


class HostileFiles(DemoCase):
    def refused(self, file, *codes, **more):
        answer = self.demo.put(file, **more)
        body = self.assertProblem(answer, answer.status)
        self.assertIn(answer.status, (400, 403, 413, 415, 422), answer)
        if codes:
            self.assertIn(body["code"], codes, body)
        return body

    def test_an_unsigned_file_is_refused(self):
        body = self.refused(self.demo.path(self.demo.penalties(1)))
        self.assertEqual(receipt_leaf(body["receipt"])["result"], "refused")

    def test_an_empty_file_is_refused(self):
        self.refused(self.demo.path(b""))

    def test_a_detached_signature_is_refused_and_said_so(self):
        source, out = self.demo.path(self.demo.penalties(1)), self.demo.path(suffix=".p7m")
        run("openssl", "cms", "-sign", "-binary", "-in", source, "-signer", self.demo["DEPT_CERT"], "-inkey",
            self.demo["DEPT_KEY"], "-outform", "DER", "-out", out)
        self.refused(out, "XF-3002")

    def test_a_file_without_signed_attributes_is_refused(self):
        self.refused(self.demo.sign(self.demo.penalties(1), "DEPT", "-noattr"), "XF-3007")

    def test_a_file_signed_by_another_units_certificate_is_refused(self):
        self.refused(self.demo.sign(self.demo.penalties(1), "DEPT2"), "XF-3011", "XF-3012")

    def test_a_record_of_another_unit_is_refused_even_when_the_sender_signs_it(self):
        answer = self.demo.put(self.demo.sign(self.demo.penalties(1), "DEPT2"), who="DEPT2")
        self.assertProblem(answer, 422)

    def test_trailing_bytes_are_refused(self):
        file = self.demo.sign(self.demo.penalties(1))
        self.refused(self.demo.path(file.read_bytes() + b"\0"), "XF-3004")

    def test_a_flipped_byte_anywhere_is_refused(self):
        whole = self.demo.sign(self.demo.penalties(2)).read_bytes()
        chosen = random.Random(20261122)
        positions = sorted(set(chosen.sample(range(len(whole)), 60)) | {0, 1, len(whole) - 1})
        accepted = []
        for position in positions:
            damaged = bytearray(whole)
            damaged[position] ^= 0x01
            answer = self.demo.put(self.demo.path(bytes(damaged)), f"flip-{position}.p7m")
            if answer.status in (200, 201):
                # Only bytes that no signature covers (an embedded certificate that is not the one that counts, an
                # unused algorithm list) may change nothing; then the content must be the sender's own.
                accepted.append(position)
                view = self.demo.submission(answer.id).json
                self.assertEqual(view["counts"]["records"], 2)
            else:
                self.assertProblem(answer, answer.status)
                self.assertLess(answer.status, 500, (position, answer))
        content = whole.find("CF_XDR_MC".encode())
        self.assertFalse([p for p in accepted if content <= p < content + 1000], accepted)

    def test_a_file_cut_short_anywhere_is_refused(self):
        whole = self.demo.sign(self.demo.penalties(2), "DEPT", "-stream").read_bytes()
        for length in range(1, len(whole), max(1, len(whole) // 25)):
            answer = self.demo.put(self.demo.path(whole[:length]), f"cut-{length}.p7m")
            self.assertProblem(answer, answer.status)
            self.assertLess(answer.status, 500, (length, answer))
        self.assertEqual(self.demo.put(self.demo.path(whole)).status, 201)

    def test_text_that_is_not_utf_8_is_refused_with_its_line(self):
        content = self.demo.penalties(2)
        damaged = content.replace("测试企业".encode(), "测试企业".encode("gb18030"), 1)
        body = self.refused(self.demo.sign(damaged))
        self.assertTrue(body["code"].startswith("XF-3"), body)

    def test_a_table_of_another_catalog_is_told_where_it_belongs(self):
        licences = pathlib.Path(self.demo["SAMPLE_LICENCES"]).read_bytes()
        body = self.refused(self.demo.sign(licences))
        self.assertEqual(body["code"], "XF-3076")
        self.assertIn("administrative-licence", body["detail"])
        answer = self.demo.put(self.demo.sign(self.demo.penalties(1)), catalog="administrative-licence")
        self.assertProblem(answer, 422, "XF-3076")

    def test_what_is_no_package_costs_no_new_inspector(self):
        """Whoever hands in rubbish must not make the node start a process for each piece of it."""
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        before = self.demo.pids()["inspector"]
        for size in (1000, 300_000):  # in one packet, and as a stream that is refused before its end
            self.assertEqual(self.refused(self.demo.path(b"x" * size))["code"], "XF-3001")
            self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        self.assertEqual(self.demo.pids()["inspector"], before)

    def test_a_header_that_comes_twice_is_named_with_its_line(self):
        lines = self.demo.penalties(2).split(b"\r\n")
        body = self.refused(self.demo.sign(b"\r\n".join(lines[:2] + lines[:1] + lines[2:])))
        self.assertEqual(body["code"], "XF-3077")
        self.assertIn("3", body["detail"])

    def test_rows_without_end_are_refused_without_being_held(self):
        header = self.demo.penalties(0)
        for content, code in ((b",".join([b"A"] * 10_000_000) + b"\r\n", {"XF-3024", "XF-3027"}),
                              (header + b"x" * (64 << 20), {"XF-3024"}),
                              (header + b'"' + b"x\r\n" * (16 << 20), {"XF-3024"})):
            self.assertIn(self.refused(self.demo.sign(content))["code"], code)

    def test_names_that_are_none_are_refused(self):
        file = self.demo.sign(self.demo.penalties(1))
        for name in ("a%2Fb", "x" * 201, "%00", "%FF", "tab%09"):
            answer = self.demo.put(file, name)
            self.assertIn(answer.status, (400, 404), (name, answer))

    def test_a_name_that_looks_like_a_path_a_command_or_a_formula_is_only_a_name(self):
        names = ["...", r"..\..\x.p7m", r"C:\x.p7m", "~root", "$(touch x)", "-rf", "|id", "=1+1", "%2e%2e%2fx",
                 "\u202ex.p7m"]
        before = {path for path in self.demo.dir.rglob("*")}
        for name in names:
            with self.subTest(name=name):
                answer = self.demo.put(self.demo.sign(self.demo.penalties(1)), urllib.parse.quote(name, safe=""),
                                       options=("--path-as-is",))
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(self.demo.submission(answer.id).json["name"], name)
                self.demo.delivered(answer.id)
        for name in ("..%2Fx", "..%2F..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "x%2F..%2Fy"):
            answer = self.demo.put(self.demo.path(b"x"), name, options=("--path-as-is",))
            self.assertProblem(answer, 400, "XF-1110")
        for path in {path for path in self.demo.dir.rglob("*")} - before:
            self.assertRegex(str(path.relative_to(self.demo.dir)), r"^(city|province|nation)/state/objects/", path)

    def test_an_unknown_catalog_is_not_found(self):
        self.assertProblem(self.demo.put(self.demo.sign(self.demo.penalties(1)), catalog="no-such-catalog"), 404)

    def test_the_node_goes_on_after_all_that(self):
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        self.demo.log_verify()


if __name__ == "__main__":
    unittest.main()

"""A department's signed file in, a receipt out, the record at three levels: UP-01, UP-06, UP-07, IDN-04."""
import json
import unittest

from tests.support.demo import DemoCase, credit_code, receipt_index, receipt_leaf, run


class Submission(DemoCase):
    def test_a_file_signed_by_openssl_and_sent_by_curl_gets_a_receipt_that_verifies(self):
        for options in ((), ("-stream",), ("-cades",), ("-nosmimecap",)):
            with self.subTest(options=options):
                file = self.demo.sign(self.demo.penalties(3), "DEPT", *options)
                answer = self.demo.put(file)
                self.assertEqual(answer.status, 201, answer)
                self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
                self.assertTrue(answer.text.startswith("c2sp.org/tlog-proof@v1\n"))
                self.demo.verify_receipt(answer.body, file)
                leaf = receipt_leaf(answer.text)
                self.assertEqual(leaf["action"], "submit")
                self.assertEqual(leaf["result"], "accepted")
                view = self.demo.submission(answer.id).json
                self.assertEqual(view["state"], "accepted")
                self.assertEqual(view["counts"], {"records": 3, "stored": 3, "duplicate": 0, "defective": 0,
                                                  "warned": view["counts"]["warned"]})
                self.assertEqual(view["leaf"], receipt_index(answer.text))

    def test_the_receipt_covers_the_content_as_well_as_the_body(self):
        content = self.demo.penalties(1)
        answer = self.demo.submit(content)
        self.demo.verify_receipt(answer.body, self.demo.path(content))
        other = self.demo.verify_receipt(answer.body, self.demo.path(content + b"x"), check=False)
        self.assertEqual(other.returncode, 4)

    def test_pem_and_chunked_and_expect_continue_are_all_the_same_to_it(self):
        file = self.demo.sign(self.demo.penalties(2))
        chunked = self.demo.put(file, options=["-H", "Transfer-Encoding: chunked"])
        self.assertEqual(chunked.status, 201, chunked)
        file = self.demo.sign(self.demo.penalties(2))
        expecting = self.demo.put(file, options=["-H", "Expect: 100-continue"])
        self.assertEqual(expecting.status, 201, expecting)

    def test_the_record_arrives_at_province_and_nation_and_a_viewer_sees_it(self):
        row = self.demo.row()
        answer = self.demo.submit(self.demo.csv([row]))
        self.assertEqual(answer.status, 201, answer)
        view = self.demo.delivered(answer.id)
        for acknowledgement in view["acknowledgements"]:
            node = acknowledgement["level"].upper()
            self.demo.verify_receipt(acknowledgement["receipt"], node=node)
            origin = receipt_leaf(acknowledgement["receipt"])["origin"]
            self.assertEqual(origin["node"], "city")
            self.assertEqual(origin["index"], receipt_index(answer.text))
            self.assertEqual(origin["digest"], view["digest"])
        for node in ("CITY", "PROVINCE", "NATION"):
            found = self.demo.query(row["CF_XDR_SHXYM"], node=node)
            self.assertEqual(found.status, 200, found)
            records = found.json["records"]
            self.assertEqual(len(records), 1, (node, found))
            self.assertIn(row["CF_WSH"], json.dumps(records[0], ensure_ascii=False))
            self.demo.verify_receipt(found.json["receipt"], node=node)

    def test_a_query_without_a_hit_is_evidence_too(self):
        nobody = credit_code(99999999)
        found = self.demo.query(nobody)
        self.assertEqual(found.json["records"], [])
        self.demo.verify_receipt(found.json["receipt"])
        leaf = receipt_leaf(found.json["receipt"])
        self.assertEqual(leaf["action"], "query")
        self.assertNotIn(nobody, json.dumps(leaf))

    def test_a_file_of_many_records_streams_through_and_arrives_upstairs(self):
        rows = [self.demo.row(CF_SY="违法事实" * 200) for _ in range(3000)]
        file = self.demo.sign(self.demo.csv(rows), "DEPT", "-stream")
        answer = self.demo.put(file)
        self.assertEqual(answer.status, 201, answer)
        view = self.demo.delivered(answer.id)
        self.assertEqual(view["counts"]["stored"], 3000)
        for row in (rows[0], rows[1499], rows[2999]):
            self.assertEqual(len(self.demo.query(row["CF_XDR_SHXYM"], node="NATION").json["records"]), 1)

    def test_the_original_comes_back_byte_for_byte(self):
        for count in (1, 400):
            file = self.demo.sign(self.demo.penalties(count))
            answer = self.demo.put(file)
            original = self.demo.curl(f"/v1/submissions/{answer.id}/original")
            self.assertEqual(original.status, 200, original)
            self.assertEqual(original.body, file.read_bytes())

    def test_push_signs_sends_and_keeps_what_it_sent_and_got(self):
        source = self.demo.path(self.demo.penalties(2), ".csv")
        environment = {"XINFU_URL": self.demo["CITY_URL"], "XINFU_CA": self.demo["CA"], "PATH": "/usr/bin:/bin",
                       "XINFU_CERT": self.demo["DEPT_CERT"], "XINFU_KEY": self.demo["DEPT_KEY"], "LANG": "C.UTF-8"}
        from tests.support.demo import XINFU
        run(XINFU, "push", source, "--catalog", "administrative-penalty", env=environment)
        receipt = source.with_name(source.name + ".receipt")
        signed = source.with_name(source.name + ".p7m")
        self.demo.verify_receipt(receipt.read_bytes(), signed)
        run(XINFU, "push", source, "--catalog", "administrative-penalty", env=environment)


if __name__ == "__main__":
    unittest.main()

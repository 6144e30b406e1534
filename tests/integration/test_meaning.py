"""What a submission means (contract): names, repeats, duplicates, refusals; UP-07, CHK-05, AUD-03."""
import unittest

from tests.support.demo import DemoCase, credit_code, receipt_index, receipt_leaf


class Meaning(DemoCase):
    def test_the_same_put_again_gets_the_same_receipt(self):
        file = self.demo.sign(self.demo.penalties(2))
        first = self.demo.put(file, "again.p7m")
        second = self.demo.put(file, "again.p7m")
        self.assertEqual((first.status, second.status), (201, 200), (first, second))
        self.assertEqual(receipt_index(first.text), receipt_index(second.text))
        self.assertEqual(receipt_leaf(first.text), receipt_leaf(second.text))
        self.demo.verify_receipt(second.body, file)

    def test_a_re_signed_copy_under_the_same_name_gets_the_same_receipt(self):
        content = self.demo.penalties(1)
        first = self.demo.submit(content, "resigned.p7m")
        second = self.demo.submit(content, "resigned.p7m")
        self.assertEqual((first.status, second.status), (201, 200), (first, second))
        self.assertEqual(receipt_index(first.text), receipt_index(second.text))

    def test_the_same_name_with_other_content_is_a_conflict(self):
        self.assertEqual(self.demo.submit(self.demo.penalties(1), "taken.p7m").status, 201)
        self.assertProblem(self.demo.submit(self.demo.penalties(1), "taken.p7m"), 409)

    def test_the_same_content_under_another_name_counts_duplicates(self):
        content = self.demo.penalties(3)
        self.assertEqual(self.demo.submit(content).status, 201)
        again = self.demo.submit(content)
        self.assertEqual(again.status, 201, again)
        counts = self.demo.submission(again.id).json["counts"]
        self.assertEqual((counts["records"], counts["stored"], counts["duplicate"]), (3, 0, 3))
        self.demo.delivered(again.id)

    def test_a_record_with_the_same_identity_and_other_bytes_wants_a_correction(self):
        row = self.demo.row()
        self.assertEqual(self.demo.submit(self.demo.csv([row])).status, 201)
        changed = dict(row, CF_NR="处罚内容已被改动")
        body = self.assertProblem(self.demo.submit(self.demo.csv([changed])), 422)
        self.assertEqual(len(body["defects"]), 1, body)
        self.assertEqual(body["defects"][0]["line"], 2)

    def test_one_defect_refuses_the_whole_file_and_its_name_stays_free(self):
        good, bad = self.demo.row(), self.demo.row(CF_XDR_SHXYM="91219900000000000A")
        refused = self.demo.submit(self.demo.csv([good, bad]), "twice.p7m")
        body = self.assertProblem(refused, 422)
        self.assertEqual([(d["line"], d["field"]) for d in body["defects"] if d["severity"] == "error"],
                         [(3, "CF_XDR_SHXYM")])
        self.demo.verify_receipt(body["receipt"])
        self.assertEqual(receipt_leaf(body["receipt"])["result"], "refused")
        self.assertEqual(self.demo.query(good["CF_XDR_SHXYM"]).json["records"], [])
        self.assertEqual(self.demo.submit(self.demo.csv([good]), "twice.p7m").status, 201)

    def test_the_same_refused_content_repeats_that_refusals_receipt(self):
        content = self.demo.penalties(1, CF_JDRQ="2026-13-45")
        first = self.demo.submit(content, "no.p7m").json
        second = self.demo.submit(content, "no.p7m").json
        self.assertEqual(receipt_index(first["receipt"]), receipt_index(second["receipt"]))

    def test_every_kind_of_record_defect_is_named_with_line_and_field(self):
        cases = [("CF_XDR_MC", ""), ("CF_XDR_LB", "未知类别"), ("CF_XDR_SHXYM", "912199000000000001"),
                 ("CF_XDR_SHXYM", "000000000000000000"), ("CF_CFLB", "不存在的处罚"), ("CF_JDRQ", "2199-01-01"),
                 ("CF_JDRQ", "yesterday"), ("CF_XDR_MC", "名" * 201), ("CF_NR_FK", "一万"),
                 ("CF_CFJGDM", credit_code(7, "1", "1"))]
        for field, value in cases:
            with self.subTest(field=field, value=value):
                body = self.assertProblem(self.demo.submit(self.demo.csv([self.demo.row(**{field: value})])), 422)
                found = [d for d in body["defects"] if d["severity"] == "error"]
                self.assertIn(field, [d["field"] for d in found], body)
                for defect in found:
                    self.assertEqual(defect["line"], 2)
                    for key in ("code", "detail", "detail_zh"):
                        self.assertTrue(defect[key])

    def test_titles_in_chinese_and_any_order_of_columns_are_read(self):
        titles = self.demo.curl("/v1/catalogs/administrative-penalty").json
        by_code = {f["code"]: f["title_zh"] for f in titles["fields"]}
        row = self.demo.row()
        header = list(reversed(self.demo.header))
        lines = [",".join(by_code[c] + "*" for c in header),
                 ",".join('"' + row[c].replace('"', '""') + '"' for c in header)]
        answer = self.demo.submit(("\ufeff" + "\n".join(lines) + "\n").encode())
        self.assertEqual(answer.status, 201, answer)

    def test_defects_download_for_excel_has_a_bom_and_chinese(self):
        refused = self.demo.submit(self.demo.csv([self.demo.row(CF_XDR_MC="")]))
        id = refused.json.get("id") or refused.id
        sheet = self.demo.curl(f"/v1/submissions/{id}/defects", "-H", "Accept: text/csv")
        self.assertEqual(sheet.status, 200, sheet)
        self.assertTrue(sheet.body.startswith("\ufeff".encode()), sheet)
        self.assertIn("行政相对人名称", sheet.text)

    def test_checking_stores_nothing_and_leaves_one_leaf(self):
        row = self.demo.row()
        file = self.demo.sign(self.demo.csv([row]))
        before = sum(leaf["action"] == "check" for leaf in self.demo.leaves())
        answer = self.demo.curl("/v1/checks/administrative-penalty", "--data-binary", f"@{file}", "-H",
                                "Content-Type: application/pkcs7-mime")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(sum(leaf["action"] == "check" for leaf in self.demo.leaves()), before + 1)
        self.assertEqual(self.demo.query(row["CF_XDR_SHXYM"]).json["records"], [])


if __name__ == "__main__":
    unittest.main()

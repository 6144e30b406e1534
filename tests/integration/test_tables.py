"""Tables as offices save them, against the running node: encodings, workbooks, checks of unsigned files, templates and
defects for Excel. CHK-01, CHK-02, CHK-06, CHK-07, CHK-14."""
import csv
import io
import json
import subprocess
import unittest

from tests.support.demo import PENALTY, XINFU, DemoCase, receipt_leaf

# openpyxl is Debian's, and so is the Python that has it.
WORKBOOK = """
import sys, openpyxl
book = openpyxl.Workbook()
for line in sys.stdin.buffer.read().decode().splitlines():
    book.active.append(line.split(chr(31)))
book.save(sys.argv[1])
"""


class Tables(DemoCase):
    def rows(self, count, **changes):
        return [self.demo.row(**changes) for _ in range(count)]

    def workbook(self, rows):
        path = self.demo.path(suffix=".xlsx")
        lines = [self.demo.header] + [[row[name] for name in self.demo.header] for row in rows]
        text = "\n".join("\x1f".join(line) for line in lines)
        subprocess.run(["/usr/bin/python3", "-c", WORKBOOK, path], input=text.encode(), check=True)
        return path.read_bytes()

    def check(self, content, *options, catalog=PENALTY):
        return self.demo.curl(f"/v1/checks/{catalog}", "--data-binary", f"@{self.demo.path(content)}", "-H",
                              "Content-Type: application/octet-stream", *options)

    def test_every_format_gives_the_same_records(self):
        rows = self.rows(2)
        text = self.demo.csv(rows).decode()
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        elements = "".join("<r>" + "".join(f"<{n}>{v}</{n}>" for n, v in row.items()) + "</r>" for row in rows)
        first = self.demo.submit(text.encode())
        self.assertEqual(first.status, 201, first)
        self.demo.delivered(first.id)
        others = {"GB 18030": text.encode("gb18030"),
                  "UTF-16": "\ufeff".encode("utf-16-le") + text.replace(",", "\t").encode("utf-16-le"),
                  "XLSX": self.workbook(rows), "JSON Lines": lines.encode(), "XML": f"<t>{elements}</t>".encode()}
        for name, content in others.items():
            with self.subTest(format=name):
                answer = self.demo.submit(content)
                self.assertEqual(answer.status, 201, answer)
                counts = self.demo.submission(answer.id).json["counts"]
                self.assertEqual((counts["records"], counts["duplicate"]), (2, 2), "the same canonical bytes")
                self.demo.delivered(answer.id)

    def test_unsigned_tables_are_checked_and_nothing_is_stored(self):
        rows = self.rows(2)
        before = sum(leaf["action"] == "check" for leaf in self.demo.leaves())
        for content in (self.demo.csv(rows), self.workbook(rows), self.demo.csv(rows) + b"," * 300000):
            answer = self.check(content)
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual(sum(leaf["action"] == "check" for leaf in self.demo.leaves()), before + 3)
        self.assertEqual(self.demo.query(rows[0]["CF_XDR_SHXYM"]).json["records"], [])
        report = self.check(self.demo.csv(self.rows(1) + self.rows(1, CF_XDR_SHXYM="9.13501E+17"))).json
        self.assertFalse(report["accepted"], report)
        self.assertEqual([(d["line"], d["field"], d["code"]) for d in report["defects"]],
                         [(3, "CF_XDR_SHXYM", "XF-4078")])

    def test_one_code_with_two_names_is_a_warning_with_the_other_line(self):
        rows = self.rows(3)
        rows[2]["CF_XDR_SHXYM"] = rows[0]["CF_XDR_SHXYM"]
        answer = self.demo.submit(self.demo.csv(rows))
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(receipt_leaf(answer.text)["counts"]["warned"], 1)
        found = self.demo.curl(f"/v1/submissions/{answer.id}/defects").json["warnings"]
        self.assertEqual([(d["line"], d["field"], d["code"]) for d in found], [(4, "CF_XDR_MC", "XF-4113")])
        self.assertIn("2", found[0]["detail_zh"])
        self.demo.delivered(answer.id)
        for language, text in (("C.UTF-8", "in an earlier line"), ("zh_CN.UTF-8", "前面一行")):
            shown = subprocess.run([XINFU, "explain", "XF-4113"], capture_output=True, text=True, timeout=10,
                                   env={"LANG": language})
            self.assertIn(text, shown.stdout)

    def test_a_large_unsigned_table_is_checked_as_it_flows(self):
        content = self.demo.csv(self.rows(3000))
        self.assertGreater(len(content), 1 << 20)
        answer = self.check(content)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["counts"]["records"], 3000)

    def test_the_command_checks_any_format(self):
        rows = self.rows(2)
        for suffix, content, good in ((".csv", self.demo.csv(rows), True), (".xlsx", self.workbook(rows), True),
                                      (".csv", self.demo.csv(self.rows(1, CF_JDRQ="46344")), False)):
            path = self.demo.path(content, suffix)
            done = subprocess.run(
                [XINFU, "check", str(path), "--catalog", PENALTY, "--url", self.demo["CITY_URL"], "--ca",
                 self.demo["CA"], "--cert", self.demo["DEPT_CERT"], "--key", self.demo["DEPT_KEY"]],
                capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0 if good else 1, done)
            self.assertEqual("XF-4082" in done.stdout, not good, done)

    def test_a_licence_file_under_the_penalties_is_named(self):
        with open(self.demo["SAMPLE_LICENCES"], "rb") as handle:
            licences = handle.read()
        report = self.check(licences).json
        self.assertEqual(report["problem"]["code"] if "problem" in report else report.get("code"), "XF-3076", report)

    def test_a_template_comes_back_as_a_table(self):
        answer = self.demo.curl(f"/v1/catalogs/{PENALTY}/template.csv")
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(answer.body.startswith("\ufeff".encode()))
        titles = next(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))
        described = self.demo.curl(f"/v1/catalogs/{PENALTY}").json
        by_code = {field["code"]: field["title_zh"] for field in described["fields"]}
        row = self.demo.row()
        by_title = {by_code[code]: value for code, value in row.items()}
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(titles)
        writer.writerow([by_title.get(title.rstrip("*"), "") for title in titles])
        filled = self.demo.submit(("\ufeff" + out.getvalue()).encode())
        self.assertEqual(filled.status, 201, filled)

    def test_no_cell_of_an_export_is_a_formula(self):
        for value in ("=HYPERLINK(\"http://x\")", "+1", "-1+2", "@SUM(A1)", "＝1", "\t=1", "%0A=1"):
            with self.subTest(value=value):
                refused = self.demo.submit(self.demo.csv(self.rows(1, CF_XDR_LB=value)))
                self.assertEqual(refused.status, 422, refused)
                id = refused.json.get("id") or refused.id
                sheet = self.demo.curl(f"/v1/submissions/{id}/defects", "-H", "Accept: text/csv")
                self.assertTrue(sheet.body.startswith("\ufeff".encode()), sheet)
                for cells in csv.reader(io.StringIO(sheet.body.decode("utf-8-sig"))):
                    for cell in cells:
                        self.assertNotRegex(cell, r"^\s*[=+\-@＝＋－＠]")

    def test_a_workbook_that_is_a_bomb_ends_as_a_refusal(self):
        import zipfile
        bomb = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.workbook(self.rows(1)))) as good, \
                zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as bad:
            for name in good.namelist():
                more = b" " * (20 << 20) if name == "xl/styles.xml" else b""
                bad.writestr(name, good.read(name) + more)
        body = self.assertProblem(self.demo.submit(bomb.getvalue()), 422)
        self.assertEqual(body["code"], "XF-3092")
        self.assertEqual(receipt_leaf(body["receipt"])["code"], "XF-3092")


if __name__ == "__main__":
    unittest.main()

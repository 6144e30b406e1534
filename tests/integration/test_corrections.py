"""Correction and withdrawal: by the deciding unit alone, idempotent, one leaf, the same current version at every level.
REC-01, UP-07, AUD-03, OBJ-03."""
import csv
import datetime
import io
import json
import time
import unittest

from tests.support.demo import DemoCase, credit_code, receipt_index, receipt_leaf, run, wait_until, XINFU

COLUMNS = ["XF_OP", "XF_RECORD", "XF_VERSION", "XF_REASON"]


class Corrections(DemoCase):
    def changes(self, rows, header=None):
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=COLUMNS + (self.demo.header if header is None else header),
                                lineterminator="\r\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode("utf-8")

    def correct(self, row, name, version, reason="笔误", **changes):
        return dict(row, XF_OP="correct", XF_RECORD=name, XF_VERSION=str(version), XF_REASON=reason, **changes)

    def withdraw(self, name, version, reason="决定已被撤销", **fields):
        return dict(fields, XF_OP="withdraw", XF_RECORD=name, XF_VERSION=str(version), XF_REASON=reason)

    def stored(self, **changes):
        row = self.demo.row(**changes)
        answer = self.demo.submit(self.demo.csv([row]))
        self.assertEqual(answer.status, 201, answer)
        return row, answer.id, answer.id + "-2"  # the header is line 1

    def current(self, row, node="CITY"):
        return self.demo.query(row["CF_XDR_SHXYM"], node=node).json["records"]

    def defects(self, answer):
        body = self.assertProblem(answer, 422)
        return [(d["line"], d["field"], d["code"]) for d in body["defects"] if d["severity"] == "error"]

    def everywhere(self, check):
        for node in ("CITY", "PROVINCE", "NATION"):
            check(node)

    def test_a_correction_replaces_the_current_version_at_every_level(self):
        row, id, name = self.stored()
        shown = self.current(row)[0]
        self.assertEqual((shown["XF_RECORD"], shown["XF_VERSION"]), (name, "1"))
        before = sum(leaf["action"] == "submit" for leaf in self.demo.leaves())
        answer = self.demo.submit(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币贰万元整")]))
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(sum(leaf["action"] == "submit" for leaf in self.demo.leaves()), before + 1)
        self.assertEqual(receipt_leaf(answer.text)["counts"],
                         {"records": 1, "stored": 1, "duplicate": 0, "defective": 0, "warned": 0})
        self.demo.delivered(answer.id)

        def check(node):
            records = self.current(row, node)
            self.assertEqual([(r["CF_NR"], r["XF_RECORD"], r["XF_VERSION"]) for r in records],
                             [("罚款人民币贰万元整", name, "2")], node)
        self.everywhere(check)
        second = self.demo.submit(self.changes([self.correct(row, name, 2, CF_NR="罚款人民币叁万元整")]))
        self.assertEqual(second.status, 201, second)
        self.demo.delivered(second.id)
        self.everywhere(lambda node: self.assertEqual(
            [(r["CF_NR"], r["XF_VERSION"]) for r in self.current(row, node)], [("罚款人民币叁万元整", "3")], node))
        self.assertEqual(self.demo.submission(id).json["state"], "accepted")

    def test_the_same_bytes_as_before_the_correction_are_no_duplicate_and_the_corrected_ones_are(self):
        row, id, name = self.stored()
        changed = dict(row, CF_NR="罚款人民币贰万元整")
        self.assertEqual(self.demo.submit(self.changes([self.correct(changed, name, 1)])).status, 201)
        again = self.demo.submit(self.demo.csv([changed]))
        self.assertEqual(again.status, 201, again)
        self.assertEqual(self.demo.submission(again.id).json["counts"]["duplicate"], 1)
        self.assertEqual(self.defects(self.demo.submit(self.demo.csv([row]))), [(2, "", "XF-5003")])

    def test_unknown_stale_and_repeated_are_three_results(self):
        row, id, name = self.stored()
        unknown = self.demo.submit(self.changes([self.correct(row, id + "-7", 1), self.correct(row, "0" * 32 + "-2", 1)]))
        self.assertEqual(self.defects(unknown), [(2, "XF_RECORD", "XF-5020"), (3, "XF_RECORD", "XF-5020")])
        idle = self.demo.submit(self.changes([self.correct(row, name, 1)]))
        self.assertEqual(idle.status, 201, idle)
        self.assertEqual(self.demo.submission(idle.id).json["counts"]["duplicate"], 1, "it is so already")
        self.assertEqual(self.current(row)[0]["XF_VERSION"], "1")
        content = self.changes([self.correct(row, name, 1, CF_NR="第一次更正")])
        first = self.demo.submit(content, "fix.p7m")
        self.assertEqual(first.status, 201, first)
        same = self.demo.submit(content, "fix.p7m")
        self.assertEqual((same.status, receipt_index(same.text), receipt_leaf(same.text)),
                         (200, receipt_index(first.text), receipt_leaf(first.text)))
        repeated = self.demo.submit(content)
        self.assertEqual(repeated.status, 201, repeated)
        view = self.demo.submission(repeated.id).json
        self.assertEqual((view["counts"]["stored"], view["counts"]["duplicate"]), (0, 1))
        found = self.demo.curl(f"/v1/submissions/{repeated.id}/defects").json
        self.assertIn("XF-5022", [d["code"] for d in found.get("warnings", []) + found.get("defects", [])], found)
        stale = self.demo.submit(self.changes([self.correct(row, name, 1, CF_NR="第二次更正")]))
        self.assertEqual(self.defects(stale), [(2, "XF_VERSION", "XF-5021")])
        ahead = self.demo.submit(self.changes([self.correct(row, name, 9, CF_NR="第二次更正")]))
        self.assertEqual(self.defects(ahead), [(2, "XF_VERSION", "XF-5021")])
        self.assertEqual([r["CF_NR"] for r in self.current(row)], ["第一次更正"])

    def test_a_withdrawn_record_leaves_every_level_and_its_identity_stays_claimed(self):
        row, id, name = self.stored()
        other = self.demo.row()
        content = self.changes([self.withdraw(name, 1)], header=[])
        answer = self.demo.submit(content)
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(self.demo.submission(id).json["state"], "withdrawn")
        self.demo.delivered(answer.id)
        self.everywhere(lambda node: self.assertEqual(self.current(row, node), [], node))
        self.assertEqual(self.defects(self.demo.submit(self.demo.csv([row, other]))), [(2, "", "XF-5025")])
        late = self.demo.submit(self.changes([self.correct(row, name, 2, CF_NR="改")]))
        self.assertEqual(self.defects(late), [(2, "XF_RECORD", "XF-5025")])
        again = self.demo.submit(content)
        self.assertEqual(again.status, 201, again)
        self.assertEqual(self.demo.submission(again.id).json["counts"]["duplicate"], 1)

    def test_a_submission_is_withdrawn_when_all_of_its_records_are(self):
        rows = [self.demo.row(), self.demo.row()]
        first = self.demo.submit(self.demo.csv(rows))
        one = self.demo.submit(self.changes([self.withdraw(first.id + "-2", 1, **rows[0])]))
        self.assertEqual(one.status, 201, one)
        self.assertEqual(self.demo.submission(first.id).json["state"], "accepted")
        fix = self.demo.submit(self.changes([self.correct(rows[1], first.id + "-3", 1, CF_NR="改正后")]))
        self.assertEqual(fix.status, 201, fix)
        self.assertEqual([r["XF_RECORD"] for r in self.current(rows[1])], [first.id + "-3"], "not the correction's line")
        two = self.demo.submit(self.changes([self.withdraw(first.id + "-3", 2)]))
        self.assertEqual(two.status, 201, two)
        self.assertEqual(self.demo.submission(first.id).json["state"], "withdrawn")
        self.assertEqual(self.demo.submission(fix.id).json["state"], "accepted")
        for row in rows:
            self.assertEqual(self.current(row), [])

    def test_only_the_deciding_unit_changes_its_records(self):
        row, id, name = self.stored()
        answer = self.demo.submit(self.changes([self.withdraw(name, 1)], header=[]), who="DEPT2")
        self.assertEqual(self.defects(answer), [(2, "XF_RECORD", "XF-5023")])
        self.assertEqual(len(self.current(row)), 1)

    def test_a_correction_of_another_record_than_the_named_one_is_refused(self):
        row, id, name = self.stored()
        for change in ({"CF_WSH": "（2026）市监罚字〔2026〕999999号"}, {"CF_XDR_SHXYM": credit_code(4242)}):
            with self.subTest(change=change):
                answer = self.demo.submit(self.changes([self.correct(row, name, 1, **change)]))
                self.assertEqual(self.defects(answer), [(2, "XF_RECORD", "XF-5024")])
        wrong = self.demo.submit(self.changes([self.withdraw(name, 1, **self.demo.row())]))
        self.assertEqual(self.defects(wrong), [(2, "XF_RECORD", "XF-5024")])
        twice = self.demo.submit(self.changes([self.correct(row, name, 1, CF_NR="一"), self.withdraw(name, 1)]))
        self.assertEqual(self.defects(twice), [(3, "XF_RECORD", "XF-5028")])
        self.assertEqual([r["XF_VERSION"] for r in self.current(row)], ["1"])

    def test_operation_columns_are_checked_like_any_other(self):
        row, id, name = self.stored()
        cases = [({"XF_OP": "delete"}, "XF_OP", "XF-4100"), ({"XF_OP": ""}, "XF_OP", "XF-4100"),
                 ({"XF_RECORD": "2"}, "XF_RECORD", "XF-4101"), ({"XF_RECORD": name + "x"}, "XF_RECORD", "XF-4101"),
                 ({"XF_VERSION": "0"}, "XF_VERSION", "XF-4102"), ({"XF_VERSION": "一"}, "XF_VERSION", "XF-4102"),
                 ({"XF_REASON": " "}, "XF_REASON", "XF-4103"), ({"XF_REASON": "长" * 501}, "XF_REASON", "XF-4103"),
                 ({"CF_NR": ""}, "CF_NR", "XF-4002")]
        for change, field, code in cases:
            with self.subTest(change=change):
                answer = self.demo.submit(self.changes([dict(self.correct(row, name, 1), **change)]))
                self.assertEqual(self.defects(answer), [(2, field, code)])
        half = io.StringIO()
        half.write("XF_OP,XF_RECORD\r\nwithdraw," + name + "\r\n")
        self.assertProblem(self.demo.submit(half.getvalue().encode()), 422, "XF-5026")

    def test_many_changes_in_one_file(self):
        rows = [self.demo.row() for _ in range(150)]
        first = self.demo.submit(self.demo.csv(rows))
        changes = [self.correct(row, f"{first.id}-{i + 2}", 1, CF_NR=f"更正{i}") for i, row in enumerate(rows)]
        changes[70] = self.withdraw(f"{first.id}-72", 1)
        answer = self.demo.submit(self.changes(changes))
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(self.demo.submission(answer.id).json["counts"]["stored"], 150)
        self.demo.delivered(answer.id)
        for node in ("CITY", "NATION"):
            token = self.demo.session("VIEWER", node)
            for i in (0, 63, 64, 69, 71, 149):
                records = self.demo.query(rows[i]["CF_XDR_SHXYM"], node=node, token=token).json["records"]
                self.assertEqual([r["CF_NR"] for r in records], [f"更正{i}"], (node, i))
            self.assertEqual(self.demo.query(rows[70]["CF_XDR_SHXYM"], node=node, token=token).json["records"], [])
        too_many = self.changes([self.withdraw(f"{first.id}-{i}", 1) for i in range(2, 2003)], header=[])
        self.assertProblem(self.demo.submit(too_many), 422, "XF-5027")

    def test_corrections_keep_their_order_when_processes_die(self):
        row, id, name = self.stored()
        last = None
        for version in range(1, 7):
            file = self.demo.sign(self.changes([self.correct(row, name, version, CF_NR=f"第{version}次更正")]))
            self.demo.kill(("vault", "courier", "gateway")[version % 3], ("CITY", "PROVINCE", "NATION")[version % 3])
            for _ in range(100):
                last = self.demo.put(file, f"order-{id}-{version}", timeout=20)
                if last.status in (200, 201):
                    break
                self.assertIn(last.status, (0, 429, 503), last)
                time.sleep(0.2)
            self.assertIn(last.status, (200, 201), last)
        self.demo.delivered(last.headers["location"].rsplit("/", 1)[1], 60)
        for node in ("CITY", "PROVINCE", "NATION"):
            wait_until(lambda: self.demo.curl("/v1/session", "--json", json.dumps(
                {"password": self.demo["VIEWER_PASSWORD"]}), who="VIEWER", node=node).status in (200, 201), 20, 0.2, node)
            self.assertEqual([(r["CF_NR"], r["XF_VERSION"]) for r in self.current(row, node)],
                             [("第6次更正", "7")], node)

    def test_a_late_report_is_marked_at_every_level_and_a_correction_does_not_change_that(self):
        """CHK-01, 合理性: accepted, warned of, and marked 迟报 by the day on which the first node took it."""
        made = datetime.date.today() - datetime.timedelta(days=40)
        row = self.demo.row(CF_JDRQ=made.strftime("%Y/%m/%d"))
        answer = self.demo.submit(self.demo.csv([row]))
        self.assertEqual(answer.status, 201, answer)
        found = self.demo.curl(f"/v1/submissions/{answer.id}/defects").json
        self.assertIn("XF-4044", [d["code"] for d in found.get("warnings", []) + found.get("defects", [])], found)
        self.demo.delivered(answer.id)
        self.everywhere(lambda node: self.assertEqual([r.get("XF_LATE") for r in self.current(row, node)], ["late"], node))
        fix = self.demo.submit(self.changes([self.correct(row, answer.id + "-2", 1, CF_NR="罚款人民币贰万元整")]))
        self.assertEqual(fix.status, 201, fix)
        self.demo.delivered(fix.id)
        self.everywhere(lambda node: self.assertEqual(
            [(r["XF_VERSION"], r.get("XF_LATE")) for r in self.current(row, node)], [("2", "late")], node))
        prompt, _, _ = self.stored()
        self.assertNotIn("XF_LATE", self.current(prompt)[0])

    def test_a_file_in_a_version_that_is_over_is_told_so(self):
        header = ("CF_WSH,CF_CFMC,CF_CFLB1,CF_SY,CF_YJ,CF_XDR_MC,CF_XDR_SHXYM,CF_JG,CF_JDRQ,CF_XZJG,CF_ZT,DFBM,SJC,"
                  "CF_XZJGDM\r\n")
        self.assertProblem(self.demo.submit(header.encode() + b"," * 13 + b"\r\n"), 422, "XF-3078")
        catalog = self.demo.curl("/v1/catalogs/administrative-penalty").json
        self.assertEqual((catalog["version"], catalog["effective_from"]), ("2018.1", "2018-07-25"))

    def test_the_command_shows_what_a_correction_needs(self):
        row, id, name = self.stored()
        password = self.demo.path(self.demo["VIEWER_PASSWORD"].encode())
        shown = run(XINFU, "records", "get", "--catalog", "administrative-penalty", "--subject", row["CF_XDR_SHXYM"],
                    "--purpose", "更正", "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
                    self.demo["VIEWER_CERT"], "--key", self.demo["VIEWER_KEY"], "--password-file", password)
        self.assertIn("XF_RECORD: " + name, shown.stdout.decode())
        self.assertIn("XF_VERSION: 1", shown.stdout.decode())


if __name__ == "__main__":
    unittest.main()

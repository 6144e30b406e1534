"""Figures of quality of a synthetic month, against answers worked out by hand. CHK-03, CHK-04, OPS-03."""
import datetime
import json
import os
import re
import unittest

from tests.support.demo import XINFU, DemoCase, run, wait_until

TODAY = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()


def day(offset):
    return (TODAY + datetime.timedelta(days=offset)).isoformat()


class Quality(DemoCase):
    maxDiff = None

    def figures(self, who="DATA_ADMIN", month="", node="CITY"):
        path = "/v1/quality" + (f"/{month}" if month else "")
        answer = self.demo.curl(path, who=who, node=node) if who == "DEPT" else self.demo.as_person(who, path, node=node)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def row_of(self, report, unit):
        found = [row for row in report["rows"] if row["unit"] == unit]
        self.assertEqual(len(found), 1, report)
        return {key: value for key, value in found[0].items() if not key.startswith("catalog_title")}

    def test_a_month_worked_out_by_hand(self):
        demo = self.demo
        unit = demo.row()["CF_SJLYDM"]

        first = [demo.row() for _ in range(10)]
        self.assertEqual(demo.submit(demo.csv(first)).status, 201)
        # Four of them again, and two new ones, of which one comes long after its seven working days.
        second = demo.submit(demo.csv(first[:4] + [demo.row(), demo.row(CF_JDRQ=day(-60))]))
        self.assertEqual(second.status, 201, second)

        wrong = first[0]["CF_XDR_SHXYM"]
        wrong = wrong[:-1] + ("0" if wrong[-1] != "0" else "1")
        defective = [demo.row(CF_WSH=""), demo.row(CF_XDR_SHXYM=wrong), demo.row(CF_JDRQ=day(1)),
                     demo.row(CF_WSH="", CF_XDR_SHXYM=wrong), demo.row()]
        refused = demo.sign(demo.csv(defective))
        self.assertEqual(demo.put(refused, "refused.p7m").status, 422)
        # The same again is answered with the same receipt, and handed in nothing new.
        self.assertEqual(demo.put(refused, "refused.p7m").status, 422)
        # Signed by somebody else: a file that was refused, whose rows are nobody's.
        self.assertEqual(demo.put(demo.sign(demo.penalties(3), "DEPT2")).status, 422)
        # A check hands in nothing.
        demo.curl("/v1/checks/administrative-penalty", "--data-binary", f"@{refused}")

        expected = {
            "unit": unit, "catalog": "administrative-penalty", "files_accepted": 2, "files_refused": 2, "records": 21,
            "stored": 12, "duplicate": 4, "changed": 0, "incomplete": 2, "inaccurate": 2, "unreasonable": 1, "late": 1,
            "undecided": 0, "coded": 21, "wrong_code": 2, "repeated_code": 0,
            "admission_ppm": 761905,       # 16 of 21
            "completeness_ppm": 904762,    # 19 of 21
            "accuracy_ppm": 904762,        # 19 of 21
            "reasonableness_ppm": 952381,  # 20 of 21
            "timeliness_ppm": 916667,      # 11 of 12
            "code_errors_ppm": 95238,      # 2 of 21
            "alarms": ["admission", "completeness", "accuracy", "code_errors"],
        }
        answer = self.figures()
        self.assertEqual(self.row_of(answer["report"], unit), expected)
        self.assertEqual(answer["report"]["node"], "city")
        self.assertFalse(answer["report"]["over"])

        # The department sees its own, and nobody else's.
        other = demo.submit(demo.csv([demo.row(CF_XDR_MC="甲")]), who="DEPT2")
        self.assertEqual(other.status, 422)  # not its unit's records: counted for DEPT2
        self.assertEqual({row["unit"] for row in self.figures("DEPT")["report"]["rows"]}, {unit})
        units = {row["unit"] for row in self.figures()["report"]["rows"]}
        self.assertEqual(len(units), 2)
        total = self.figures()["report"]["total"]
        self.assertEqual((total["files_refused"], total["records"], total["inaccurate"]), (3, 22, 3))

        # The levels above count what came up to them, late by the city's day.
        def province():
            rows = self.figures(node="PROVINCE")["report"]["rows"]
            return rows if rows and rows[0]["files_accepted"] == 2 else None
        above = wait_until(province, 30, 0.5, "the province's figures")
        self.assertEqual(len(above), 1)
        self.assertEqual({key: above[0][key] for key in ("unit", "records", "stored", "duplicate", "late", "inaccurate")},
                         {"unit": unit, "records": 16, "stored": 12, "duplicate": 4, "late": 1, "inaccurate": 0})

        # As metrics.
        text = (demo.dir / "city" / "xinfu.yaml").read_text()
        metrics = run("curl", "-s", "http://" + re.search(r"metrics:\s*\"?([0-9.:]+)", text).group(1) + "/metrics")
        metrics = metrics.stdout.decode()
        label = f'unit="{unit}",catalog="administrative-penalty"'
        self.assertIn(f"xinfu_quality_records{{{label}}} 21\n", metrics)
        self.assertIn(f'xinfu_quality_alarm{{{label},measure="code_errors"}} 1\n', metrics)
        self.assertIn(f'xinfu_quality_alarm{{{label},measure="reasonableness"}} 0\n', metrics)
        ratio = re.search(rf'xinfu_quality_ratio{{{re.escape(label)},measure="code_errors"}} (\S+)', metrics)
        self.assertAlmostEqual(float(ratio.group(1)), 0.095238)

    def test_corrections_are_changes_and_no_new_records(self):
        demo = self.demo
        before = self.figures("DEPT")["report"]["total"]
        row = demo.row()
        answer = demo.submit(demo.csv([row]))
        self.assertEqual(answer.status, 201, answer)
        token = demo.session("VIEWER")
        record = demo.query(row["CF_XDR_SHXYM"], token=token).json["records"][0]
        change = {"XF_OP": "correct", "XF_RECORD": record["XF_RECORD"], "XF_VERSION": record["XF_VERSION"],
                  "XF_REASON": "笔误"}
        header = list(change) + demo.header
        cells = {**change, **row, "CF_SY": "更正后的事实"}
        line = ",".join('"' + cells.get(name, "").replace('"', '""') + '"' for name in header)
        corrected = demo.submit((",".join(header) + "\r\n" + line + "\r\n").encode())
        self.assertEqual(corrected.status, 201, corrected)
        after = self.figures("DEPT")["report"]["total"]
        grown = {key: after[key] - before[key] for key in ("files_accepted", "records", "stored", "changed", "late")}
        self.assertEqual(grown, {"files_accepted": 2, "records": 1, "stored": 1, "changed": 1, "late": 0})

    def test_what_clashes_with_records_that_are_there_is_unreasonable(self):
        demo = self.demo
        row = demo.row()
        self.assertEqual(demo.submit(demo.csv([row])).status, 201)
        before = self.figures("DEPT")["report"]["total"]
        self.assertEqual(demo.submit(demo.csv([dict(row, CF_SY="别的事实"), demo.row()])).status, 422)
        after = self.figures("DEPT")["report"]["total"]
        grown = {key: after[key] - before[key] for key in ("files_refused", "records", "stored", "unreasonable", "inaccurate")}
        self.assertEqual(grown, {"files_refused": 1, "records": 2, "stored": 0, "unreasonable": 1, "inaccurate": 0})

    def test_the_report_is_a_signed_file(self):
        demo = self.demo
        demo.submit(demo.penalties(1))
        out = demo.path(suffix=".json")
        environment = dict(os.environ, XINFU_URL=demo["CITY_URL"], XINFU_CA=demo["CA"], XINFU_CERT=demo["DEPT_CERT"],
                           XINFU_KEY=demo["DEPT_KEY"], LANG="C.UTF-8", LC_ALL="C.UTF-8")
        month = f"{TODAY:%Y-%m}"
        shown = run(XINFU, "quality", "--month", month, "--out", out, env=environment).stdout.decode()
        self.assertIn(month, shown)
        self.assertIn("code errors", shown)
        self.assertEqual(json.loads(out.read_text())["month"], month)
        receipt = out.with_name(out.name + ".receipt").read_bytes()
        demo.verify_receipt(receipt, out)
        out.write_text(out.read_text().replace('"late":', '"late" :'))
        self.assertEqual(demo.verify_receipt(receipt, out, check=False).returncode, 4)
        environment["LC_ALL"] = environment["LANG"] = "zh_CN.UTF-8"
        self.assertIn("重错码率", run(XINFU, "quality", env=environment).stdout.decode())

    def test_who_may_not_and_what_is_no_month(self):
        self.assertEqual(self.demo.as_person("VIEWER", "/v1/quality").status, 403)
        self.assertEqual(self.demo.as_person("SYSTEM_ADMIN", "/v1/quality").status, 403)
        self.assertEqual(self.demo.curl("/v1/quality/2026-13").status, 404)
        self.assertEqual(self.figures("DEPT", "2001-01")["report"]["rows"], [])
        self.assertEqual(self.demo.curl("/v1/quality", "-X", "DELETE").status, 405)


if __name__ == "__main__":
    unittest.main()

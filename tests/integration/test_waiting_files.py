"""Files that wait until a section head approves of them: they count from then on, wholly or not at all: APR-01, APR-02, ROL-06, ROL-09."""
import random
import threading
import time
import unittest

from tests.integration import test_clock, test_corrections
from tests.support.demo import receipt_index, receipt_leaf, wait_until
from tests.support.people import PeopleCase


class Waiting(PeopleCase):
    """The catalog of penalties lets files wait; corrections wait for a signature."""
    changes = test_corrections.Corrections.changes
    correct = test_corrections.Corrections.correct
    withdraw = test_corrections.Corrections.withdraw

    def setUp(self):
        if not getattr(type(self), "prepared", False):
            self.replace_pack("administrative-penalty", lambda text: text.replace(
                "defective_records: refuse_file\n", "defective_records: refuse_file\napprovals: [submit, correct]\n", 1))
            type(self).prepared = True

    def waiting(self, content, **more):
        answer = self.demo.submit(content, **more)
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(receipt_leaf(answer.text)["result"], "pending")
        return answer

    def shown(self, id, who="APPROVER"):
        answer = self.ask(who, f"/v1/requests/{id}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def allow(self, id, who="APPROVER", **changed):
        """The password typed again, for the digest that was shown."""
        body = {"decision": "approve", "digest": self.shown(id)["digest"], "password": self.demo[who + "_PASSWORD"]}
        return self.post(who, f"/v1/requests/{id}/decision", body | changed)

    def allowed(self, id):
        answer = self.allow(id)
        self.assertEqual((answer.status, answer.json.get("state")), (200, "executed"), answer)
        return answer.json

    def state(self, id):
        return self.demo.submission(id).json["state"]

    def records(self, row, node="CITY"):
        return self.demo.query(row["CF_XDR_SHXYM"], node=node).json["records"]

    def figures(self):
        """Files accepted and refused, and records stored, of the department's penalties this month."""
        rows = self.demo.curl("/v1/quality").json["report"]["rows"]
        mine = [one for one in rows if (one["unit"], one["catalog"]) == (self.unit, "administrative-penalty")]
        return tuple(sum(one[key] for one in mine) for key in ("files_accepted", "files_refused", "stored"))

    def stored(self, **changes):
        row = self.demo.row(**changes)
        answer = self.waiting(self.demo.csv([row]))
        self.allowed(answer.id)
        return row, answer.id, answer.id + "-2"


class WaitingFiles(Waiting):
    def test_a_file_counts_once_the_section_head_has_approved_of_it(self):
        """APR-01, APR-02: before that it is stored, receipted, seen by nobody and sent nowhere."""
        row = self.demo.row()
        body = self.demo.sign(self.demo.csv([row]))
        first = self.demo.put(body, "wait.p7m")
        self.assertEqual(first.status, 202, first)
        self.demo.verify_receipt(first.body, body)
        told = self.demo.submission(first.id).json
        self.assertEqual((told["state"], told["request"], told["acknowledgements"]), ("pending", first.id, []))
        self.assertEqual(self.records(row), [])
        repeated = self.demo.put(body, "wait.p7m")
        self.assertEqual((repeated.status, receipt_index(repeated.text)), (202, receipt_index(first.text)))
        self.assertProblem(self.demo.submit(self.demo.penalties(1), "wait.p7m"), 409, "XF-5001")
        request = self.shown(first.id)
        self.assertEqual((request["act"], request["state"], request["strength"], request["missing"]), ("submit", "open", "session", 1))
        self.assertIn({"field": "records", "before": "", "after": "1"}, request["differences"])
        self.assertIn(first.id, [one["id"] for one in self.ask("APPROVER", "/v1/requests").json["requests"]])
        original = self.ask("APPROVER", f"/v1/submissions/{first.id}/original")
        self.assertEqual(original.body, body.read_bytes())

        auditors = self.shown(first.id, "AUDITOR")
        self.assertNotIn("change", auditors)  # that there is a request, not what it says of records
        self.assertNotIn("differences", auditors)

        decided = self.allowed(first.id)
        self.demo.verify_receipt(decided["receipt"])
        self.assertProblem(self.ask("APPROVER", f"/v1/submissions/{first.id}/original"), 404, "XF-2005")
        self.assertEqual(self.state(first.id), "accepted")
        self.assertEqual([one["CF_WSH"] for one in self.records(row)], [row["CF_WSH"]])
        self.demo.delivered(first.id)
        for node in ("PROVINCE", "NATION"):
            self.assertEqual([one["CF_WSH"] for one in self.records(row, node)], [row["CF_WSH"]], node)
        newest = self.demo.curl(f"/v1/submissions/{first.id}/receipt")
        self.demo.verify_receipt(newest.body, body)
        leaf = receipt_leaf(newest.text)
        self.assertEqual((leaf["action"], leaf["result"], leaf["role"], leaf["approval"]),
                         ("decide_submission", "accepted", "approver", first.id))
        again = self.demo.put(body, "wait.p7m")
        self.assertEqual((again.status, receipt_index(again.text)), (200, receipt_index(newest.text)))
        self.assertProblem(self.allow(first.id), 409, "XF-2014")
        self.assertEqual(len(self.leaves_of("decide_submission", approval=first.id)), 1)

    def test_nobody_else_lets_it_count(self):
        """APR-01, ROL-06: not its sender, no administrator, not with the digest of another file, not without the password."""
        mine, other = (self.waiting(self.demo.penalties(1)) for _ in range(2))
        body = {"decision": "approve", "digest": self.shown(mine.id)["digest"], "password": "x"}
        path = f"/v1/requests/{mine.id}/decision"
        for who in ("SECURITY_ADMIN", "SYSTEM_ADMIN"):
            answer = self.post(who, path, body | {"password": self.demo[who + "_PASSWORD"]})
            self.assertProblem(answer, 403, "XF-2001")
        sender = self.demo.curl(path, "--json", "@" + str(self.demo.path(b'{"decision": "approve"}', ".json")))
        self.assertProblem(sender, 403, "XF-2001")
        self.assertProblem(self.allow(mine.id, digest=self.shown(other.id)["digest"]), 409, "XF-2016")
        self.assertProblem(self.allow(mine.id, password=self.demo["APPROVER_PASSWORD"] + "x"), 401, "XF-1007")
        self.assertEqual(self.state(mine.id), "pending")
        foreign = self.waiting(self.demo.csv([self.demo.row(CF_CFJGDM=self.demo.unit("DEPT2"), CF_SJLYDM=self.demo.unit("DEPT2"))]),
                               who="DEPT2")
        self.assertProblem(self.ask("APPROVER", f"/v1/requests/{foreign.id}"), 404, "XF-2005")

    def test_a_file_that_was_rejected_leaves_nothing_but_its_receipt(self):
        row = self.demo.row()
        body = self.demo.sign(self.demo.csv([row]))
        before = self.figures()
        first = self.demo.put(body, "rejected.p7m")
        self.assertEqual(self.figures(), before)
        answer = self.post("APPROVER", f"/v1/requests/{first.id}/decision", {"decision": "reject", "reason": "金额有误"})
        self.assertEqual((answer.status, answer.json["state"]), (200, "rejected"), answer)
        told = self.demo.submission(first.id).json
        self.assertEqual((told["state"], told["counts"]["stored"]), ("refused", 0))
        newest = self.demo.curl(f"/v1/submissions/{first.id}/receipt")
        self.assertEqual((receipt_leaf(newest.text)["result"], receipt_leaf(newest.text)["code"]), ("refused", "XF-5032"))
        self.demo.verify_receipt(newest.body)
        self.assertProblem(self.demo.curl(f"/v1/submissions/{first.id}/original"), 404, "XF-2005")
        self.assertProblem(self.allow(first.id), 409, "XF-2014")
        self.assertEqual(self.figures(), (before[0], before[1] + 1, before[2]))
        second = self.demo.put(body, "rejected.p7m")  # the name is free
        self.assertEqual(second.status, 202, second)
        self.assertNotEqual(second.id, first.id)
        self.allowed(second.id)
        self.assertEqual(self.demo.submission(second.id).json["counts"]["stored"], 1)
        self.assertEqual(len(self.records(row)), 1)
        self.assertEqual(self.figures(), (before[0] + 1, before[1] + 1, before[2] + 1))

    def test_whatever_was_overtaken_while_it_waited_is_not_stored_twice(self):
        """Duplicates go; another content of the same record refuses the file, whoever approved of it."""
        row, more = self.demo.row(), self.demo.row()
        one = self.waiting(self.demo.csv([row]))
        same = self.waiting(self.demo.csv([row, more]))
        otherwise = self.waiting(self.demo.csv([self.demo.row(), dict(row, CF_NR="罚款人民币贰万元整")]))
        self.allowed(one.id)
        self.allowed(same.id)
        counts = self.demo.submission(same.id).json["counts"]
        self.assertEqual((counts["records"], counts["stored"], counts["duplicate"]), (2, 1, 1))
        self.assertEqual(len(self.records(row)), 1)
        self.assertProblem(self.allow(otherwise.id), 422, "XF-5031")
        told = self.demo.submission(otherwise.id).json
        self.assertEqual((told["state"], self.shown(otherwise.id)["state"]), ("refused", "rejected"))
        defects = self.demo.curl(f"/v1/submissions/{otherwise.id}/defects").json["defects"]
        self.assertEqual([(one["line"], one["code"]) for one in defects], [(3, "XF-5003")])
        self.assertEqual([one["CF_NR"] for one in self.records(row)], [row["CF_NR"]])

    def test_a_large_file_waits_and_counts_as_a_small_one(self):
        """Its records are staged, among them more than one commit takes back."""
        rows = [self.demo.row() for _ in range(6000)]
        small = self.waiting(self.demo.csv(rows[:2500]))
        large = self.waiting(self.demo.csv(rows))
        self.allowed(small.id)
        self.allowed(large.id)
        counts = self.demo.submission(large.id).json["counts"]
        self.assertEqual((counts["records"], counts["stored"], counts["duplicate"]), (6000, 3500, 2500))
        for row in (rows[0], rows[2499], rows[2500], rows[5999]):
            self.assertEqual(len([one for one in self.records(row) if one["CF_WSH"] == row["CF_WSH"]]), 1)
        self.demo.delivered(large.id, timeout=60)
        rejected = self.waiting(self.demo.penalties(6000))
        self.post("APPROVER", f"/v1/requests/{rejected.id}/decision", {"decision": "reject", "reason": "x"})
        self.assertEqual(self.state(rejected.id), "refused")

    def test_an_original_without_its_certificate_goes_up_like_others(self):
        answer = self.demo.put(self.demo.sign(self.demo.penalties(1), "DEPT", "-nocerts"))
        self.assertEqual(answer.status, 202, answer)
        self.allowed(answer.id)
        self.demo.delivered(answer.id)

    def test_a_kill_in_the_middle_leaves_all_of_it_or_nothing(self):
        random.seed(20261123)
        for number in range(6):
            row = self.demo.row()
            file = self.waiting(self.demo.csv([row]))
            digest = self.shown(file.id)["digest"]
            answers = []
            sending = threading.Thread(target=lambda: answers.append(self.allow(file.id, digest=digest)))
            sending.start()
            time.sleep(random.uniform(0.01, 0.25))
            self.demo.kill("vault")
            sending.join()
            self.await_vault()
            state = self.shown(file.id)["state"]
            self.assertEqual((self.state(file.id), len(self.records(row))),
                             ("accepted", 1) if state == "executed" else ("pending", 0), (number, answers))
            if state != "executed":
                self.allowed(file.id)
            self.assertEqual(len(self.leaves_of("decide_submission", approval=file.id)), 1)
            self.demo.delivered(file.id)
        self.demo.log_verify()

    def test_the_requests_of_whoever_leaves_are_void_with_their_files(self):
        account = self.enrolled("GOESAWAY", roles=["submitter"])
        row = self.demo.row()
        file = self.waiting(self.demo.csv([row]), who="GOESAWAY")
        slip = self.post("SYSTEM_ADMIN", f"/v1/accounts/{account}/disable", {"reason": "closed"}).json
        self.assertEqual(slip["requests"], [file.id])
        self.assertEqual((self.state(file.id), self.shown(file.id)["state"]), ("refused", "rejected"))
        self.assertEqual(self.waiting(self.demo.csv([row])).status, 202)


class WaitingCorrections(Waiting):
    def test_a_correction_changes_nothing_before_it_is_signed(self):
        """APR-01, ROL-09: the approver sees what becomes of each field; a session is not enough; then every level has it."""
        row, id, name = self.stored(CF_XDR_MC="某某商贸有限公司")
        self.demo.delivered(id)
        file = self.waiting(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币贰万元整")]))
        self.assertEqual([(one["XF_VERSION"], one["CF_NR"]) for one in self.records(row)], [("1", row["CF_NR"])])
        request = self.shown(file.id)
        self.assertEqual((request["act"], request["strength"]), ("correct", "signature"))
        self.assertIn({"field": f"{name} CF_NR", "before": row["CF_NR"], "after": "罚款人民币贰万元整"}, request["differences"])
        self.assertIn({"field": name, "before": "version 1", "after": "corrected: 笔误"}, request["differences"])
        self.assertEqual(sum(name + " " in one["field"] for one in request["differences"]), 1)
        self.assertProblem(self.allow(file.id), 403, "XF-2017")
        done = self.approve(file.id, "APPROVER")
        self.assertEqual((done.status, done.json["state"]), (200, "executed"), done)
        self.demo.delivered(file.id)
        for node in ("CITY", "PROVINCE", "NATION"):
            self.assertEqual([(one["XF_VERSION"], one["CF_NR"]) for one in self.records(row, node)], [("2", "罚款人民币贰万元整")], node)

    def test_of_two_corrections_that_wait_the_first_approved_counts(self):
        row, _, name = self.stored()
        one = self.waiting(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币贰万元整")]))
        two = self.waiting(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币叁万元整")]))
        self.assertEqual(self.approve(two.id, "APPROVER").status, 200)
        self.assertProblem(self.approve(one.id, "APPROVER"), 422, "XF-5031")
        defects = self.demo.curl(f"/v1/submissions/{one.id}/defects").json["defects"]
        self.assertEqual([(defect["line"], defect["code"]) for defect in defects], [(2, "XF-5021")])
        self.assertEqual([one["CF_NR"] for one in self.records(row)], ["罚款人民币叁万元整"])

    def test_a_withdrawal_waits_too(self):
        row, id, name = self.stored()
        file = self.waiting(self.changes([self.withdraw(name, 1)]))
        self.assertEqual(len(self.records(row)), 1)
        self.assertIn({"field": name, "before": "version 1", "after": "withdrawn: 决定已被撤销"}, self.shown(file.id)["differences"])
        self.assertEqual(self.approve(file.id, "APPROVER").status, 200)
        self.assertEqual((self.records(row), self.state(id)), ([], "withdrawn"))
        self.demo.delivered(file.id)
        self.assertEqual(self.records(row, "NATION"), [])

    def test_a_rejected_correction_leaves_the_record_as_it_is(self):
        row, id, name = self.stored()
        file = self.waiting(self.changes([self.withdraw(name, 1)]))
        self.post("APPROVER", f"/v1/requests/{file.id}/decision", {"decision": "reject", "reason": "x"})
        time.sleep(1)  # what it asked for is swept
        self.assertEqual([one["XF_VERSION"] for one in self.records(row)], ["1"])
        self.assertEqual((self.state(id), self.state(file.id)), ("accepted", "refused"))
        again = self.waiting(self.demo.csv([row]))
        self.allowed(again.id)
        self.assertEqual(self.demo.submission(again.id).json["counts"]["duplicate"], 1)


class AtTheProvince(Waiting):
    node = "PROVINCE"

    def test_what_comes_from_below_does_not_wait_again(self):
        """It was approved of where it was handed in."""
        file = self.demo.submit(self.demo.penalties(1))
        self.assertEqual(file.status, 201, file)
        self.demo.delivered(file.id)


class Expiry(test_clock.OwnClock, Waiting):
    def test_what_nobody_approves_of_in_time_is_refused(self):
        """And an account that nobody approved of in time is not opened."""
        body = self.demo.sign(self.demo.penalties(1))
        file = self.demo.put(body, "late.p7m")
        account = self.opened(self.form("TOOLATE"))
        self.set(0)
        self.pass_time(60 * 24 * 7 + 1)
        self.tokens.clear()
        self.assertProblem(self.approve(account["id"]), 409, "XF-2015")
        self.assertProblem(self.allow(file.id), 409, "XF-2015")
        self.restart_vault()
        wait_until(lambda: self.state(file.id) == "refused", what="the refusal")
        self.assertEqual(self.shown(file.id)["state"], "expired")
        leaf = self.leaves_of("decide_submission", approval=file.id)
        self.assertEqual([(one["result"], one["code"]) for one in leaf], [("refused", "XF-5033")])
        self.assertEqual(self.demo.put(body, "late.p7m").status, 202)


if __name__ == "__main__":
    unittest.main()

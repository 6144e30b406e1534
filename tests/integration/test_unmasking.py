"""Personal fields without masks: only for whoever asked with a reason, when another approved of it, once: ENC-02, ROL-05."""
import json
import unittest

from tests.support.canary import NAME, NUMBER, canary_row, canary_table
from tests.support.demo import receipt_leaf
from tests.support.people import PeopleCase


class Unmasking(PeopleCase):
    def setUp(self):
        if not hasattr(type(self), "row"):
            type(self).row = canary_row(self.demo)
            answer = self.demo.submit(canary_table(self.demo, [self.row]))
            self.assertEqual(answer.status, 201, answer)
            self.enrolled("SPECIAL", roles=["special_operator"], number="made-up-0101")

    def query(self, who, purpose="核查", subject=NUMBER, **more):
        return self.post(who, "/v1/records/administrative-penalty/query", {"subject": subject, "purpose": purpose, **more})

    def wish(self, who="SPECIAL", reason="复核处罚对象", catalog="administrative-penalty", subject=NUMBER):
        return self.post(who, "/v1/requests", {"act": "unmask", "reason": reason, "unmask": {"catalog": catalog, "subject": subject}})

    def allow(self, request, who="APPROVER"):
        return self.post(who, f"/v1/requests/{request['id']}/decision",
                         {"decision": "approve", "digest": request["digest"], "password": self.demo[who + "_PASSWORD"]})

    def allowed(self, **more):
        asked = self.wish(**more)
        self.assertEqual(asked.status, 201, asked)
        done = self.allow(asked.json)
        self.assertEqual((done.status, done.json["state"]), (200, "executed"), done)
        return asked.json["id"]

    def is_masked(self, answer):
        self.assertEqual(answer.status, 200, answer)
        record = answer.json["records"][0]
        shown = (record["CF_XDR_MC"], record["CF_XDR_ZJHM"])
        masked = (NAME[0] + "*" * (len(NAME) - 1), NUMBER[:6] + "*" * 8 + NUMBER[-4:])
        self.assertIn(shown, ((NAME, NUMBER), masked))
        return shown == masked

    def test_everybody_sees_masks_until_another_person_approves(self):
        for who in ("VIEWER", "SPECIAL"):
            self.assertTrue(self.is_masked(self.query(who)))
        asked = self.wish().json
        self.assertEqual((asked["act"], asked["state"], json.loads(asked["change"])["subject"]), ("unmask", "open", NUMBER))
        self.assertProblem(self.query("SPECIAL", approval=asked["id"]), 403, "XF-2027")
        self.assertEqual(self.allow(asked).json["state"], "executed")
        answer = self.query("SPECIAL", approval=asked["id"])
        self.assertFalse(self.is_masked(answer))
        self.demo.verify_receipt(answer.json["receipt"])
        leaf = receipt_leaf(answer.json["receipt"])
        self.assertEqual((leaf["action"], leaf["approval"], leaf["role"]), ("query", asked["id"], "special_operator"))
        self.assertEqual(len(self.leaves_of("grant_unmasking", approval=asked["id"])), 1)

    def test_an_approval_serves_one_query_of_one_subject_by_one_person(self):
        """ROL-05: not twice, not for another subject, catalog or account, and not without it."""
        id = self.allowed()
        company = self.demo.row()["CF_XDR_SHXYM"]
        self.assertProblem(self.query("SPECIAL", subject=company, approval=id), 403, "XF-2027")
        other = self.post("SPECIAL", "/v1/records/administrative-licence/query", {"subject": NUMBER, "purpose": "x", "approval": id})
        self.assertProblem(other, 403, "XF-2027")
        self.assertProblem(self.query("VIEWER", approval=id), 403, "XF-2001")
        self.enrolled("SPECIAL2", roles=["special_operator"], number="made-up-0102")
        self.assertProblem(self.query("SPECIAL2", approval=id), 403, "XF-2027")
        self.assertFalse(self.is_masked(self.query("SPECIAL", approval=id)))
        self.assertProblem(self.query("SPECIAL", approval=id), 403, "XF-2027")
        self.assertTrue(self.is_masked(self.query("SPECIAL")))
        for nonsense in ("x", "0" * 32):
            self.assertProblem(self.query("SPECIAL", approval=nonsense), 403, "XF-2027")
        self.assertTrue(self.leaves_of("query", code="XF-2027"))

    def test_not_without_a_reason_nor_the_right_nor_another_person(self):
        """ROL-05: a missing reason is refused; an account whose right has ended is, too."""
        self.assertProblem(self.wish(reason=""), 400, "XF-1117")
        self.assertProblem(self.wish(subject="rubbish"), 400, "XF-2007")
        self.assertProblem(self.wish(catalog="no-such"), 404, "XF-2003")
        for who in ("VIEWER", "APPROVER", "AUDITOR", "DATA_ADMIN", "SYSTEM_ADMIN", "SECURITY_ADMIN"):
            self.assertProblem(self.wish(who), 403, "XF-2001")
        account = self.enrolled("SPECIAL3", roles=["special_operator", "approver"], number="made-up-0103")
        asked = self.wish("SPECIAL3").json
        self.assertProblem(self.allow(asked, "SPECIAL3"), 403, "XF-2012")  # though an approver may decide
        self.assertEqual(self.allow(asked).json["state"], "executed")
        form = self.form("SPECIAL3", ["viewer"], "made-up-0103")
        changed = self.opened(form, account=account)
        self.assertEqual(self.approve(changed["id"]).status, 200)
        self.assertProblem(self.query("SPECIAL3", approval=asked["id"]), 403, "XF-2001")

    def test_the_log_names_nobody(self):
        self.query("SPECIAL", approval=self.allowed())
        text = json.dumps(self.demo.leaves(), ensure_ascii=False)
        for secret in (NUMBER, NAME, "复核处罚对象"):
            self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()

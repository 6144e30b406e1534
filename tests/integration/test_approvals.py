"""Acts that need a second person, from the form to the account that works: APR-01, APR-06, ROL-01, ROL-02, ROL-03, IDN-05, ACC-02,
ACC-03, PTH-01. With stock openssl and curl, and with the command."""
import datetime
import hashlib
import json
import pathlib
import random
import re
import subprocess
import threading
import time
import unittest

from tests.support.demo import XINFU, receipt_leaf, run, wait_until
from tests.support.people import PeopleCase
from tests.support.records import credit_code


class Approvals(PeopleCase):
    # ---- the way of a form ------------------------------------------------------------------------------
    def test_an_account_exists_only_once_another_person_has_signed(self):
        """APR-06, ACC-02: and then it works: a machine of a unit that the node has never seen hands in and is receipted."""
        unit = "112199000000077" + "7"
        unit = credit_code(70077)
        form = self.form("NEWDEPT", ["submitter"], unit=unit)
        request = self.opened(form)
        self.assertEqual((request["state"], request["missing"], request["strength"]), ("open", 1, "signature"))
        self.assertEqual(hashlib.sha256(request["change"].encode()).hexdigest(), request["digest"])
        self.assertIn({"field": "roles", "before": "", "after": "submitter"}, request["differences"])
        self.demo.verify_receipt(request["receipt"])
        self.assertProblem(self.demo.curl("/v1/status", who="NEWDEPT"), 401, "XF-1001")
        answer = self.approve(request["id"])
        self.assertEqual(answer.status, 200, answer)
        decided = answer.json
        self.assertEqual((decided["state"], decided["missing"]), ("executed", 0))
        leaf = receipt_leaf(decided["receipt"])
        self.assertEqual((leaf["action"], leaf["object"]["id"], leaf["object"]["digest"], leaf["role"]),
                         ("approve_request", request["id"], request["digest"], "system_administrator"))
        effects = self.leaves_of("open_account", approval=request["id"])
        self.assertEqual([effect["object"]["id"] for effect in effects], [decided["object"]])
        self.assertEqual(self.demo.curl("/v1/status", who="NEWDEPT").status, 200)
        rows = self.demo.csv([self.demo.row(CF_CFJGDM=unit, CF_SJLYDM=unit)])
        taken = self.demo.submit(rows, who="NEWDEPT")
        self.assertEqual(taken.status, 201, taken)
        # Its key survives a restart of the vault.
        self.restart_vault()
        again = self.demo.submit(self.demo.csv([self.demo.row(CF_CFJGDM=unit, CF_SJLYDM=unit)]), who="NEWDEPT")
        self.assertEqual(again.status, 201, again)

    def test_the_command_does_the_same(self):
        form = self.form("BYCOMMAND", number="made-up-0001")
        certificate = form.pop("certificates")[0]
        path = self.demo.path(json.dumps(form).encode(), ".json")
        pem = self.demo.path(certificate.encode(), ".pem")

        def xinfu(who, *words, check=True):
            password = self.demo.path(self.demo[who + "_PASSWORD"].encode())
            return run(XINFU, *words, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert", self.demo[who + "_CERT"],
                       "--key", self.demo[who + "_KEY"], "--password-file", password, check=check)
        asked = xinfu("SECURITY_ADMIN", "account", "request", "--form", path, "--certificate", pem, "--reason", "new", "--json")
        request = json.loads(asked.stdout)
        listed = xinfu("APPROVER", "request", "list").stdout.decode()
        self.assertIn(request["id"], listed)
        receipt = self.demo.path(suffix=".receipt")
        wrong = xinfu("APPROVER", "request", "approve", request["id"], "--digest", "0" * 64, check=False)
        self.assertEqual(wrong.returncode, 1, wrong)
        told = xinfu("APPROVER", "request", "approve", request["id"], "--digest", request["digest"], "--receipt", receipt)
        self.assertIn("executed", told.stdout.decode())
        self.demo.verify_receipt(receipt.read_bytes())
        account = json.loads(xinfu("SECURITY_ADMIN", "account", "list", "--json").stdout)["accounts"]
        mine = [one for one in account if one["name"] == "BYCOMMAND"]
        self.assertEqual([(one["roles"], one["approval"]) for one in mine], [(["viewer"], request["id"])])
        slip = xinfu("SECURITY_ADMIN", "account", "leave", mine[0]["id"], "--reason", "moved").stdout.decode()
        self.assertIn("CLEARANCE SLIP", slip)

    # ---- whoever tries to do it alone ---------------------------------------------------------------------
    def test_nobody_approves_of_their_own_request(self):
        """APR-01: not the applicant, not with a right to decide; withdrawing is theirs."""
        request = self.opened(self.form("OWNWISH"))
        self.assertProblem(self.approve(request["id"], "SECURITY_ADMIN"), 403, "XF-2012")
        gone = self.post("SECURITY_ADMIN", f"/v1/requests/{request['id']}/decision", {"decision": "reject", "reason": "withdrawn"})
        self.assertEqual((gone.status, gone.json["state"]), (200, "rejected"), gone)
        self.assertProblem(self.approve(request["id"]), 409, "XF-2014")
        refused = self.leaves_of("approve_request", code="XF-2012")
        self.assertIn(request["id"], [leaf["object"]["id"] for leaf in refused])

    def test_a_second_account_of_one_person_is_refused(self):
        """ROL-02: so roles that exclude each other always meet in one account; whoever would approve of themself, too."""
        self.enrolled("FIRST", number="made-up-0002")
        second = self.form("SECOND", ["auditor"], number="made-up-0002")
        self.assertProblem(self.request(second), 409, "XF-2019")
        both = self.form("BOTH", ["approver", "auditor"], number="made-up-0003")
        self.assertProblem(self.request(both), 409, "XF-2010")
        self.assertTrue(self.leaves_of("request", code="XF-2019"))
        # Two requests for one person, both open: the second meets what the first has done.
        one, two = (self.opened(self.form(name, number="made-up-0004")) for name in ("TWIN1", "TWIN2"))
        self.assertEqual(self.approve(one["id"]).status, 200)
        self.assertProblem(self.approve(two["id"]), 409, "XF-2019")

    def test_a_signature_over_anything_else_approves_of_nothing(self):
        """APR-01: one byte, another request, another's signature, a reply of another's statement."""
        request, other = (self.opened(self.form(name)) for name in ("EXACT", "OTHER"))
        statement = self.ask("SYSTEM_ADMIN", f"/v1/requests/{request['id']}/approval").body
        for at in (0, len(statement) // 2, len(statement) - 1):
            bent = statement[:at] + bytes([statement[at] ^ 1]) + statement[at + 1:]
            self.assertProblem(self.approve(request["id"], signed=self.demo.sign(bent, "SYSTEM_ADMIN")), 409, "XF-2016")
        self.assertProblem(self.approve(request["id"], signed=self.demo.sign(statement + b"\n", "SYSTEM_ADMIN")), 409, "XF-2016")
        self.assertProblem(self.approve(request["id"], signed=self.sign_approval(other["id"], "SYSTEM_ADMIN")), 409, "XF-2016")
        answer = self.approve(request["id"], signed=self.demo.sign(statement, "SECURITY_ADMIN"))
        self.assertProblem(answer, 403, "XF-2024")
        rubbish = self.demo.path(b"\x30\x80rubbish")
        self.assertEqual(self.approve(request["id"], signed=rubbish).status // 100, 4)
        # A session is not enough where the pack says signature.
        body = {"decision": "approve", "digest": request["digest"], "password": self.demo["SYSTEM_ADMIN_PASSWORD"]}
        self.assertProblem(self.post("SYSTEM_ADMIN", f"/v1/requests/{request['id']}/decision", body), 403, "XF-2017")
        self.assertEqual(self.ask("SYSTEM_ADMIN", f"/v1/requests/{request['id']}").json["state"], "open")

    def test_an_approval_counts_once(self):
        request = self.opened(self.form("ONCE"))
        signed = self.sign_approval(request["id"], "SYSTEM_ADMIN")
        self.assertEqual(self.approve(request["id"], signed=signed).status, 200)
        self.assertProblem(self.approve(request["id"], signed=signed), 409, "XF-2014")
        self.assertEqual(len(self.leaves_of("open_account", approval=request["id"])), 1)

    def test_a_kill_in_the_middle_leaves_all_of_it_or_nothing(self):
        """APR-01: whenever the vault dies, the account exists exactly if the request is executed, with one leaf each."""
        random.seed(20261123)
        for number in range(8):
            request = self.opened(self.form(f"KILLED{number}"))
            signed = self.sign_approval(request["id"], "SYSTEM_ADMIN")
            answers = []
            sending = threading.Thread(target=lambda: answers.append(self.demo.as_person(
                "SYSTEM_ADMIN", f"/v1/requests/{request['id']}/decision", "-H", "Content-Type: application/cms", "--data-binary",
                f"@{signed}", token=self.tokens["SYSTEM_ADMIN"])))
            sending.start()
            time.sleep(random.uniform(0.005, 0.06))
            self.demo.kill("vault")
            sending.join()
            self.await_vault()
            shown = self.ask("SYSTEM_ADMIN", f"/v1/requests/{request['id']}").json
            opened = self.leaves_of("open_account", approval=request["id"])
            works = self.demo.curl("/v1/status", who=f"KILLED{number}").status == 200
            self.assertEqual((shown["state"] == "executed", len(opened), works),
                             (works, int(works), works), (shown, answers))
            if answers[0].status == 200:
                self.assertTrue(works, "acknowledged, and lost")
            again = self.approve(request["id"], signed=signed)
            self.assertEqual(again.status, 409 if works else 200, again)
        self.demo.log_verify()

    def test_a_request_from_before_another_change_is_void(self):
        account = self.enrolled("CHANGING", number="made-up-0005")
        form = self.form("CHANGING", ["viewer"], number="made-up-0005", phone="1")
        del form["certificates"]
        one, two = (self.opened(form | {"phone": phone}, account=account) for phone in ("11", "22"))
        self.assertEqual(one["differences"], [{"field": "phone", "before": "0000-0000000", "after": "11"}])
        self.assertEqual(self.approve(one["id"]).status, 200)
        self.assertProblem(self.approve(two["id"]), 409, "XF-2021")
        self.assertEqual(self.ask("AUDITOR", f"/v1/accounts/{account}").json["phone"], "11")

    # ---- who may see and decide ------------------------------------------------------------------------------
    def test_others_do_not_even_learn_of_it(self):
        """ROL-03: another unit's request is like one that is not there, and lists leave it out."""
        request = self.opened(self.form("FOREIGN", ["submitter"], unit=credit_code(70078)))
        self.assertProblem(self.ask("APPROVER", f"/v1/requests/{request['id']}"), 404, "XF-2005")
        self.assertProblem(self.ask("APPROVER", f"/v1/requests/{'0' * 32}"), 404, "XF-2005")
        self.assertProblem(self.ask("APPROVER", f"/v1/requests/{request['id']}/approval"), 404, "XF-2005")
        listed = [one["id"] for one in self.ask("APPROVER", "/v1/requests").json["requests"]]
        self.assertNotIn(request["id"], listed)
        self.assertIn(request["id"], [one["id"] for one in self.ask("AUDITOR", "/v1/requests").json["requests"]])
        signed = self.sign_approval(request["id"], "APPROVER", reader="AUDITOR")
        self.assertProblem(self.approve(request["id"], "APPROVER", signed), 404, "XF-2005")

    def test_roles_without_the_right_are_refused(self):
        """ROL-01, ROL-02: an auditor changes nothing, the data administrator grants nothing."""
        form = self.form("NOBODYS")
        for who in ("AUDITOR", "DATA_ADMIN", "SYSTEM_ADMIN", "APPROVER", "VIEWER"):
            self.assertProblem(self.request(form, who), 403, "XF-2001")
        request = self.opened(form)
        self.assertProblem(self.approve(request["id"], "AUDITOR"), 403, "XF-2001")
        self.assertProblem(self.ask("VIEWER", "/v1/requests"), 403, "XF-2001")
        for who in ("DATA_ADMIN", "VIEWER"):
            self.assertProblem(self.ask(who, "/v1/accounts"), 403, "XF-2001")
        account = self.enrolled("VICTIM")
        for who in ("AUDITOR", "DATA_ADMIN", "APPROVER", "VIEWER"):
            self.assertProblem(self.post(who, f"/v1/accounts/{account}/disable", {"reason": "x"}), 403, "XF-2001")

    def test_a_form_that_is_not_complete_is_refused(self):
        """ACC-02, IDN-05: each with the member that is at fault, and nothing kept."""
        good = self.form("COMPLETE", number="made-up-0006")
        for member, value, code in (
                ("unit", "112199000000000199", "XF-2018"), ("post", "", "XF-2018"), ("phone", "", "XF-2018"),
                ("roles", [], "XF-2018"), ("roles", ["emperor"], "XF-2018"), ("roles", ["submitter"], "XF-2018"),
                ("catalogs", ["no-such"], "XF-2018"), ("valid_until", "", "XF-2018"), ("valid_until", "2020-01-01", "XF-2018"),
                ("valid_until", "2199-01-01", "XF-2018"), ("sources", ["10.0.0.0/33"], "XF-2018"), ("units", [self.unit], "XF-2018"),
                ("certificates", [], "XF-2018"), ("kind", "ghost", "XF-2018")):
            answer = self.request(good | {member: value})
            problem = self.assertProblem(answer, 422, code)
            self.assertIn(f'"{member}"', problem["detail"], (member, value))
        self.assertProblem(self.request(good | {"guest": True}), 400, "XF-1109")
        self.assertProblem(self.request(good, reason=""), 400, "XF-1117")
        stranger = self.demo.path(suffix=".pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-out",
            stranger, "-subj", "/C=CN/serialNumber=made-up-0006/CN=self")
        self.assertProblem(self.request(good | {"certificates": [stranger.read_text()]}), 422, "XF-2020")
        elsewhere = self.issue("ELSEWHERE", credit_code(70079), "made-up-0006")
        self.assertProblem(self.request(good | {"certificates": [elsewhere]}), 422, "XF-2020")
        taken = pathlib.Path(self.demo["APPROVER_CERT"]).read_text()
        self.assertProblem(self.request(good | {"certificates": [taken]}), 409, "XF-2019")

    # ---- what an account may -------------------------------------------------------------------------------------
    def test_an_account_is_bound_to_its_catalogs_and_addresses(self):
        """ROL-01, PTH-01: what the form narrows stays narrow whatever the role grants."""
        self.enrolled("NARROW", roles=["submitter"], catalogs=["administrative-licence"], sources=["127.0.0.0/30"])
        self.assertEqual(self.demo.curl("/v1/status", who="NARROW").status, 200)
        self.assertProblem(self.demo.submit(self.demo.penalties(1), who="NARROW"), 403, "XF-2001")
        far = self.demo.curl("/v1/status", "--interface", "127.0.0.9", who="NARROW")
        self.assertProblem(far, 403, "XF-1020")
        self.assertEqual(self.demo.curl("/v1/status", "--interface", "127.0.0.2", who="NARROW").status, 200)

    def test_whoever_leaves_is_out_at_once(self):
        """ACC-03: the session, the certificate, open requests; the slip says what there was; the account can come back."""
        account = self.enrolled("LEAVER", roles=["security_administrator"], number="made-up-0007")
        pending = self.opened(self.form("HERWISH"), who="LEAVER")
        self.assertEqual(self.ask("LEAVER", "/v1/status").status, 200)
        live = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", self.demo["CITY_URL"].removeprefix("https://"), "-CAfile",
                                 self.demo["CA"], "-cert", self.demo["LEAVER_CERT"], "-key", self.demo["LEAVER_KEY"]],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        live.stdin.write(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.tokens["LEAVER"].encode() + b"\r\n\r\n")
        live.stdin.flush()
        self.assertIn(b"200 OK", live.stdout.readline())
        begin = time.monotonic()
        answer = self.post("SYSTEM_ADMIN", f"/v1/accounts/{account}/disable", {"reason": "调离"})
        self.assertEqual(answer.status, 200, answer)
        slip = answer.json
        self.assertEqual((slip["account"]["roles"], slip["requests"], slip["sessions"]),
                         (["security_administrator"], [pending["id"]], 1))
        self.assertEqual(slip["connections"], 1)
        live.wait(1)  # its connection was closed, without a request
        live.stdin.close()
        live.stdout.close()
        self.demo.verify_receipt(slip["receipt"])
        refused = self.demo.as_person("LEAVER", "/v1/status", token=self.tokens["LEAVER"])
        self.assertLess(time.monotonic() - begin, 1.5)
        self.assertProblem(refused, 403, "XF-1004")
        self.assertProblem(self.approve(pending["id"]), 409, "XF-2014")
        self.assertEqual(self.ask("AUDITOR", f"/v1/accounts/{account}").json["state"], "disabled")
        form = self.form("LEAVER", ["viewer"], number="made-up-0007")
        back = self.opened(form, account=account)
        self.assertIn({"field": "state", "before": "disabled", "after": "active"}, back["differences"])
        self.assertEqual(self.approve(back["id"]).status, 200)
        self.assertEqual(self.demo.as_person("LEAVER", "/v1/status", token=self.demo.session("LEAVER")).status, 200)

    def test_a_forgotten_password_is_set_anew_when_another_person_approves(self):
        """ACC-04: with the same certificate; the old one is no password any more, and sessions end."""
        form = self.form("FORGETS", number="made-up-0012")
        account = self.approve(self.opened(form)["id"]).json["object"]
        self.assertEqual(self.ask("FORGETS", "/v1/status").status, 200)
        del form["certificates"]
        self.assertProblem(self.request(dict(form, reset_password="yes"), account=account), 400, "XF-1109")
        self.assertProblem(self.request(self.form("NOBODYYET", number="made-up-0013") | {"reset_password": True}), 422, "XF-2018")
        wish = self.opened(dict(form, reset_password=True), account=account)
        self.assertIn({"field": "password", "before": "", "after": "reset"}, wish["differences"])
        self.assertIn('"reset_password":true', wish["change"])
        self.assertEqual(self.approve(wish["id"]).status, 200)
        self.assertProblem(self.demo.as_person("FORGETS", "/v1/status", token=self.tokens["FORGETS"]), 401, "XF-1006")
        old = self.demo["FORGETS_PASSWORD"]

        def log_in(password):
            return self.demo.curl("/v1/session", "--json", json.dumps({"password": password}), who="FORGETS")
        self.assertProblem(log_in(old), 400, "XF-1025")  # known since before
        self.assertEqual(log_in("Quite-another 31 word").status, 201)
        self.assertProblem(log_in(old), 401, "XF-1007")

    def test_when_nobody_can_ask_for_accounts_any_more_two_others_can(self):
        """The last security administrator is lost: only then, two persons, and loudly."""
        accounts = self.ask("AUDITOR", "/v1/accounts").json["accounts"]
        lost = next(one for one in accounts if one["roles"] == ["security_administrator"] and one["state"] == "active")
        number = re.search("serialNumber *= *([^,/]+)", run("openssl", "x509", "-in", self.demo["SECURITY_ADMIN_CERT"], "-noout",
                                                             "-subject").stdout.decode()).group(1).strip()
        form = {"kind": "person", "unit": lost["unit"], "unit_name": "测试单位", "name": "示例", "post": "科员", "phone": "0",
                "roles": ["security_administrator"], "reset_password": True,
                "valid_until": (datetime.date.today() + datetime.timedelta(days=300)).isoformat()}

        def wish(who="DATA_ADMIN", **changed):
            return self.post(who, "/v1/requests", {"act": "recover", "reason": "lost", "form": form | changed, "account": lost["id"]})
        self.assertTrue(number)
        self.assertProblem(wish(), 409, "XF-2031")
        for who in ("AUDITOR", "APPROVER", "VIEWER"):
            self.assertProblem(wish(who), 403, "XF-2001")
        self.assertEqual(self.post("SYSTEM_ADMIN", f"/v1/accounts/{lost['id']}/disable", {"reason": "lost"}).status, 200)
        self.assertProblem(wish(roles=["viewer"]), 409, "XF-2031")
        asked = wish()
        self.assertEqual(asked.status, 201, asked)
        self.assertProblem(self.approve(asked.json["id"], "DATA_ADMIN"), 403, "XF-2012")
        self.assertProblem(self.approve(asked.json["id"], "AUDITOR"), 403, "XF-2001")
        self.assertEqual(self.approve(asked.json["id"]).json["state"], "executed")
        self.assertEqual(len(self.leaves_of("recover_account", approval=asked.json["id"])), 1)
        password = "A fresh start 42!"
        answer = self.demo.curl("/v1/session", "--json", json.dumps({"password": password}), who="SECURITY_ADMIN")
        self.assertEqual(answer.status, 201, answer)
        self.demo.env["XINFU_SECURITY_ADMIN_PASSWORD"] = password
        self.assertProblem(wish(), 409, "XF-2031")

    # ---- packs -------------------------------------------------------------------------------------------------
    def test_packs_come_into_force_when_another_person_has_signed(self):
        """APR-03, APR-05: the old ones until then; afterwards at once, and after a restart; and back again."""
        old, before = self.pack("access"), self.ask("AUDITOR", "/v1/policies").json["digest"]
        new = old.replace("[read_entries, read_checkpoint, read_status, read_catalogs,", "[read_entries, read_checkpoint, read_status,")
        self.assertNotEqual(new, old)
        asked = self.propose(("access", new))
        self.assertEqual(asked.status, 201, asked)
        lines = [(one["before"].strip(), one["after"].strip()) for one in asked.json["differences"]]
        self.assertEqual(len(lines), 2, lines)
        self.assertEqual(self.ask("AUDITOR", "/v1/catalogs").status, 200)
        self.assertEqual(self.ask("AUDITOR", "/v1/policies").json["digest"], before)
        answer = self.approve(asked.json["id"])
        self.assertEqual((answer.status, answer.json["state"]), (200, "executed"), answer)
        after = self.ask("AUDITOR", "/v1/policies").json["digest"]
        self.assertEqual(json.loads(asked.json["change"])["result"], after)
        self.assertProblem(self.ask("AUDITOR", "/v1/catalogs"), 403, "XF-2001")
        effects = self.leaves_of("activate_policies", approval=asked.json["id"])
        self.assertEqual([leaf["object"]["digest"] for leaf in effects], [after])
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        self.restart_vault()
        self.assertProblem(self.ask("AUDITOR", "/v1/catalogs"), 403, "XF-2001")
        back = self.propose(("access", old))
        self.assertEqual(self.approve(back.json["id"]).status, 200)
        self.assertEqual(self.ask("AUDITOR", "/v1/catalogs").status, 200)

    def test_packs_that_would_break_the_node_are_refused(self):
        """ROL-02, APR-03: mistakes, roles that persons hold and the pack excludes, and a pack that could not be changed any more."""
        old = self.pack("access")
        self.assertProblem(self.propose(("access", old.replace("scope: all", "scope: everything", 1))), 422, "XF-2026")
        self.assertProblem(self.propose(("access", old.replace(", request_policy", ""))), 409, "XF-2025")
        self.assertProblem(self.propose(("access", old.replace("  - {act: policy,", "  - {act: policy2,"))), 422, "XF-2026")
        both = self.enrolled("TWOROLES", roles=["viewer", "data_administrator"], number="made-up-0008")
        clash = old.replace("exclusions:\n", "exclusions:\n  - [viewer, data_administrator]\n")
        self.assertProblem(self.propose(("access", clash)), 409, "XF-2010")
        self.assertProblem(self.propose(("access", old)), 400, "XF-1117")
        self.assertProblem(self.propose(), 400, "XF-1117")
        self.assertProblem(self.propose(remove=["0" * 64]), 400, "XF-1117")
        for who in ("DATA_ADMIN", "SYSTEM_ADMIN", "AUDITOR"):
            self.assertProblem(self.propose(("access", old + "\n"), who=who), 403, "XF-2001")
        # Both halves through two acts: a pack that is fine when it is asked for, and roles that are given meanwhile.
        self.ask("SYSTEM_ADMIN", f"/v1/accounts/{both}/disable", "--json", '{"reason": "x"}')
        fine = self.propose(("access", clash))
        self.assertEqual(fine.status, 201, fine)
        again = self.opened(self.form("TWOROLES", ["viewer", "data_administrator"], "made-up-0008"), account=both)
        self.assertEqual(self.approve(again["id"]).status, 200)
        self.assertProblem(self.approve(fine.json["id"]), 409, "XF-2010")
        self.ask("SYSTEM_ADMIN", f"/v1/accounts/{both}/disable", "--json", '{"reason": "x"}')

    def test_two_of_several_and_whoever_left_counts_no_more(self):
        """APR-01: an approval stands only as long as its approver could still give it."""
        old = self.pack("access")
        rule = "{act: account, strength: signature, approvers: %d,"
        self.assertEqual(self.approve(self.propose(("access", old.replace(rule % 1, rule % 2))).json["id"]).status, 200)
        try:
            second = self.opened(self.form("APPROVER2", ["approver"], "made-up-0010"))
            self.assertEqual((second["approvers"], second["missing"]), (2, 2))
            answer = self.approve(second["id"], "APPROVER")
            self.assertEqual((answer.json["state"], answer.json["missing"]), ("open", 1), answer)
            self.assertProblem(self.approve(second["id"], "APPROVER"), 409, "XF-2013")
            self.assertProblem(self.demo.curl("/v1/status", who="APPROVER2"), 401, "XF-1001")
            account = self.approve(second["id"]).json
            self.assertEqual(account["state"], "executed")
            wanted = self.opened(self.form("WANTED"))["id"]
            self.assertEqual(self.approve(wanted, "APPROVER2").json["missing"], 1)
            self.post("SYSTEM_ADMIN", f"/v1/accounts/{account['object']}/disable", {"reason": "left"})
            self.assertEqual(self.ask("AUDITOR", f"/v1/requests/{wanted}").json["missing"], 2)
            answer = self.approve(wanted)
            self.assertEqual((answer.json["state"], answer.json["missing"]), ("open", 1), answer)
            self.assertEqual(self.approve(wanted, "APPROVER").json["state"], "executed")
        finally:
            back = self.propose(("access", old))
            self.assertEqual(self.approve(back.json["id"]).status, 200)

    def test_whoever_was_revoked_since_counts_no_more(self):
        """APR-01: between the first approval and the second."""
        old = self.pack("access")
        rule = "{act: account, strength: signature, approvers: %d,"
        self.assertEqual(self.approve(self.propose(("access", old.replace(rule % 1, rule % 2))).json["id"]).status, 200)
        try:
            second = self.opened(self.form("APPROVER3", ["approver"], "made-up-0011"))["id"]
            for who in ("APPROVER", "SYSTEM_ADMIN"):
                answer = self.approve(second, who)
            self.assertEqual(answer.json["state"], "executed", answer)
            wanted = self.opened(self.form("WANTED2"))["id"]
            self.assertEqual(self.approve(wanted, "APPROVER3").json["missing"], 1)
            authority = self.demo.dir / "ca"
            run(XINFU, "ca", "revoke", "--dir", authority, "--cert", self.demo["APPROVER3_CERT"])
            run(XINFU, "ca", "crl", "--dir", authority, "--out", f"{self.demo['CITY_STATE']}/revocation/ca.crl")
            wait_until(lambda: self.demo.curl("/v1/status", who="APPROVER3").code == "XF-1003", 60, 1, "the revocation")
            self.assertEqual(self.ask("AUDITOR", f"/v1/requests/{wanted}").json["missing"], 2)
            answer = self.approve(wanted)
            self.assertEqual((answer.json["state"], answer.json["missing"]), ("open", 1), answer)
            self.assertProblem(self.demo.curl("/v1/status", who="WANTED2"), 401, "XF-1001")
            self.assertEqual(self.approve(wanted, "APPROVER").json["state"], "executed")
        finally:
            back = self.propose(("access", old))
            self.assertEqual(self.approve(back.json["id"]).status, 200)

    def test_in_a_session_the_password_is_typed_again_for_one_digest(self):
        """APR-01, IDN-06: where the pack says so; a token alone approves of nothing."""
        old = self.pack("access")
        weaker = old.replace("{act: account, strength: signature,", "{act: account, strength: session,")
        self.assertEqual(self.approve(self.propose(("access", weaker)).json["id"]).status, 200)
        try:
            request = self.opened(self.form("BYWORD"))
            self.assertEqual(request["strength"], "session")

            def decide(digest, password):
                return self.post("SYSTEM_ADMIN", f"/v1/requests/{request['id']}/decision",
                                 {"decision": "approve", "digest": digest, "password": password})
            right = self.demo["SYSTEM_ADMIN_PASSWORD"]
            self.assertProblem(decide("0" * 64, right), 409, "XF-2016")
            self.assertProblem(decide(request["digest"], right + "x"), 401, "XF-1007")
            self.assertProblem(decide(request["digest"], ""), 401, "XF-1007")
            self.assertEqual(self.ask("AUDITOR", f"/v1/requests/{request['id']}").json["state"], "open")
            answer = decide(request["digest"], right)
            self.assertEqual((answer.status, answer.json["state"]), (200, "executed"), answer)
            self.assertEqual(answer.json["decisions"][0]["strength"], "session")
            confirmed = [(leaf["principal"], leaf["result"]) for leaf in self.leaves_of("confirm_password")]
            self.assertEqual(len(set(confirmed)), 2, confirmed)
        finally:
            back = self.propose(("access", old))
            self.assertEqual(self.approve(back.json["id"]).status, 200)

    def test_of_two_proposals_one_wins(self):
        old = self.pack("access")
        one, two = (self.propose(("access", old + f"# {note}\n")).json for note in ("one", "two"))
        self.assertEqual(self.approve(one["id"]).status, 200)
        self.assertProblem(self.approve(two["id"]), 409, "XF-2021")

    def test_the_command_shows_and_proposes_packs(self):
        def xinfu(*words, check=True):
            password = self.demo.path(self.demo["SECURITY_ADMIN_PASSWORD"].encode())
            return run(XINFU, *words, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
                       self.demo["SECURITY_ADMIN_CERT"], "--key", self.demo["SECURITY_ADMIN_KEY"], "--password-file", password, check=check)
        out = self.demo.path()
        xinfu("policy", "active", "--out", out)
        self.assertGreater(len(list(out.iterdir())), 20)
        interview = self.demo.path((self.pack("catalog", "interview-record") + "# later\n").encode(), ".yaml")
        run(XINFU, "policy", "check", interview)
        self.assertIn("+# later", xinfu("policy", "diff", interview).stdout.decode())
        bad = self.demo.path(interview.read_bytes() + b"unknown: 1\n", ".yaml")
        self.assertEqual(run(XINFU, "policy", "check", bad, check=False).returncode, 1)
        old = next(one["digest"] for one in self.ask("AUDITOR", "/v1/policies").json["packs"] if one["catalog"] == "interview-record")
        asked = json.loads(xinfu("policy", "propose", interview, "--remove", old, "--reason", "later", "--json").stdout)
        self.assertEqual(self.approve(asked["id"]).status, 200)
        self.assertIn("# later", self.pack("catalog", "interview-record"))
        account = self.enrolled("EXPLAINED", catalogs=["interview-record"])

        def explain(*words):
            done = xinfu("policy", "explain", "--account", account, *words, "--json", check=False)
            return done.returncode, json.loads(done.stdout)["rule"]
        self.assertEqual(explain("--act", "submit", "--catalog", "interview-record"), (0, "submitter: submit * own_unit"))
        self.assertEqual(explain("--act", "submit", "--catalog", "interview-record", "--unit", credit_code(70080)), (1, "no grant"))
        self.assertEqual(explain("--act", "submit", "--catalog", "objection"), (1, "the account is not for this catalog"))
        self.assertEqual(explain("--act", "query", "--catalog", "interview-record"), (1, "no grant"))
        xinfu("account", "disable", account, "--reason", "x")
        self.assertEqual(explain("--act", "submit", "--catalog", "interview-record"), (1, "the account is disabled"))

    # ---- the published table ----------------------------------------------------------------------------------------
    def test_every_role_may_do_what_the_table_says_and_nothing_else(self):
        """ROL-01 to ROL-04, IDN-03: every act of the interface by every role, against docs/ROLES.md."""
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "ROLES.md").read_text()
        lines = [line.strip("|").split("|") for line in page.split("## English\n")[1].split("\n\n")[0].splitlines()]
        roles = [re.search("`(.*)`", cell).group(1) for cell in lines[0][1:]]
        table = {(role, line[0].strip(" `")): bool(cell.strip()) for line in lines[2:] for role, cell in zip(roles, line[1:])}
        people = {"submitter": "DEPT", "approver": "APPROVER", "viewer": "VIEWER", "system_administrator": "SYSTEM_ADMIN",
                  "data_administrator": "DATA_ADMIN", "security_administrator": "SECURITY_ADMIN", "auditor": "AUDITOR",
                  "log_reader": "LOG_READER", "special_operator": "SPECIAL", "platform": "BELOW", "recipient": "BANK",
                  "government_recipient": "OFFICE"}
        self.assertEqual(sorted(roles), sorted(people), "a role that nobody here has")
        self.enrolled("SPECIAL", roles=["special_operator"], number="made-up-0009")
        below = self.opened(self.form("BELOW", ["platform"]) | {"kind": "platform", "units": [self.unit]})
        self.assertEqual(self.approve(below["id"]).status, 200)
        self.enrolled("BANK", roles=["recipient"])
        self.enrolled("OFFICE", roles=["government_recipient"])
        submission = self.demo.submit(self.demo.penalties(1)).id
        account = self.opened(self.form("WAITING"))["id"]
        unmasking = self.post("SPECIAL", "/v1/requests", {"act": "unmask", "reason": "x", "unmask": {
            "catalog": "administrative-penalty", "subject": self.demo.row()["CF_XDR_SHXYM"]}}).json["id"]
        waits = "defective_records: refuse_file\n"
        self.replace_pack("administrative-penalty", lambda text: text.replace(waits, waits + "approvals: [submit]\n", 1))
        waiting = self.demo.submit(self.demo.penalties(1)).id
        self.replace_pack("administrative-penalty", lambda text: text.replace("approvals: [submit]\n", "", 1))
        policy = self.propose(("access", self.pack("access") + "# waiting\n")).json["id"]

        def body(value):
            return "--json", json.dumps(value)
        bent = body({"decision": "approve", "digest": "0" * 64})
        nothing = str(self.demo.path(b""))
        acts = {"submit": ("/v1/submissions/interview-record/x", "-T", nothing), "check": ("/v1/checks/interview-record", "-d", ""),
                "query": ("/v1/records/interview-record/query", *body({"subject": "x", "purpose": "y"})),
                "extract": ("/v1/feeds/interview-record",),
                "read_submission": (f"/v1/submissions/{submission}",), "read_receipt": (f"/v1/submissions/{submission}/receipt",),
                "read_defects": (f"/v1/submissions/{submission}/defects",), "read_original": (f"/v1/submissions/{submission}/original",),
                "read_catalogs": ("/v1/catalogs",), "read_checkpoint": ("/v1/log/checkpoint",),
                "read_entries": ("/v1/log/tile/entries/000.p/1",), "read_route": ("/v1/routes/none",), "read_status": ("/v1/status",),
                "search_log": ("/v1/log/search", *body({"action": "submit"})), "trace_record": (f"/v1/trace/{submission}-2",),
                "read_quality": ("/v1/quality",), "read_accounts": ("/v1/accounts",), "read_requests": ("/v1/requests",),
                "read_policies": ("/v1/policies",), "disable_account": ("/v1/accounts/none/disable", *body({"reason": "x"})),
                "request_account": ("/v1/requests", *body({"act": "account", "reason": "x", "form": {
                    "kind": "ghost", "unit": self.unit, "unit_name": "x", "name": "x"}})),
                "request_policy": ("/v1/requests", *body({"act": "policy", "reason": "x", "policy": {}})),
                "decide_account": (f"/v1/requests/{account}/decision", *bent), "decide_policy": (f"/v1/requests/{policy}/decision", *bent),
                "decide_submission": (f"/v1/requests/{waiting}/decision", *bent),
                "request_recovery": ("/v1/requests", *body({"act": "recover", "reason": "x", "form": {
                    "kind": "ghost", "unit": self.unit, "unit_name": "x", "name": "x"}})),
                "request_unmasking": ("/v1/requests", *body({"act": "unmask", "reason": "x", "unmask": {
                    "catalog": "interview-record", "subject": "x"}})),
                "decide_unmasking": (f"/v1/requests/{unmasking}/decision", *bent)}
        acts["relay"] = acts["submit"]
        checkpoint = pathlib.Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "checkpoint" / "first"  # of no log known here
        acts["witness"] = ("/v1/log/witness/add-checkpoint", "--data-binary", f"@{checkpoint}")
        # There is no open request for a recovery while others can act; who may decide is tried where one is needed.
        self.assertEqual({verb for _, verb in table}, {*acts, "open_session", "decide_recovery"}, "an act that nobody tries")
        person = {role for role in roles if self.demo.env.get(f"XINFU_{people[role]}_PASSWORD") and table[role, "open_session"]}
        for (role, verb), granted in table.items():
            who = people[role]
            if verb == "decide_recovery":
                continue
            if verb == "open_session":
                answer = self.demo.curl("/v1/session", *body({"password": self.demo.env.get(f"XINFU_{who}_PASSWORD", "x")}), who=who)
                self.assertEqual(answer.status == 201, granted, (role, verb, answer))
                continue
            if (verb == "relay") != (role == "platform") and verb in ("relay", "submit"):
                continue  # one request, which act it is lies in who asks
            answer = self.ask(who, *acts[verb]) if role in person else self.demo.curl(*acts[verb], who=who)
            refused = answer.status == 403 and answer.code == "XF-2001"
            if verb.startswith("decide") and not refused:
                # The applicant reads the request and has no say; to others it does not exist.
                refused = answer.code in ("XF-2012", "XF-2005")
            if verb == "read_original":
                refused = refused or answer.status == 404  # to whoever may read one that waits, this one is not there
            self.assertEqual(not refused, granted, (role, verb, answer))

    def test_what_happened_is_in_the_log_and_the_log_is_whole(self):
        request = self.opened(self.form("LOGGED"))
        self.approve(request["id"])
        asked = self.leaves_of("request", result="pending")
        self.assertIn(request["digest"], [leaf["object"]["digest"] for leaf in asked])
        text = json.dumps(self.demo.leaves(), ensure_ascii=False)
        for secret in ("登记新账户", "0000-0000000", "科员", "made-up-000"):
            self.assertNotIn(secret, text)
        self.demo.log_verify()


if __name__ == "__main__":
    unittest.main()

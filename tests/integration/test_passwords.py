"""What a person's password must be like, how long it lasts, what wrong ones lead to, and that it is the same after a crash: ACC-01,
ACC-04, ACC-05, ACC-06. With stock curl, and with the command."""
import json
import pathlib
import subprocess
import time
import unittest

from tests.integration.test_clock import OwnClock
from tests.support.by_hand import ByHand
from tests.support.demo import BIN, XINFU, DemoCase, run, wait_until

# Each with the code that says why: for a person's account, whose bounds are the lower ones.
WEAK = (("Qx7#vR2$k", "XF-1010"), ("密码口令密码口令密", "XF-1010"), ("Ab1!", "XF-1010"), ("correct horse battery", "XF-1023"),
        ("1234567890123", "XF-1023"), ("蓝天白云青山绿水红花", "XF-1023"), ("Password123!", "XF-1024"), ("P@ssw0rd2026", "XF-1024"),
        ("Admin@123456", "XF-1024"), ("Guest@123456", "XF-1024"), ("Test123456!", "XF-1024"), ("Welcome2026!", "XF-1024"),
        ("1qaz@WSX3edc", "XF-1024"), ("Qwertyuiop12", "XF-1024"), ("Abcdefgh1234", "XF-1024"), ("aaaaaaaaaaaaaaaA1", "XF-1024"),
        ("Xinyong@2026", "XF-1024"), ("Woaini520520!", "XF-1024"), ("管理员Abc1234", "XF-1024"), ("2026-11-23Aa", "XF-1024"))
NEW = ("Quill-41 Harbor tin", "Mosaic.92.fern.Tug", "Walnut=58=Kite=dusk", "Cobalt;63;Raft;nine")


class Passwords(DemoCase):
    def log_in(self, who, password, new=None, *options, node="CITY"):
        body = {"password": password} | ({"new_password": new} if new is not None else {})
        path = self.demo.path(json.dumps(body).encode(), ".json")
        return self.demo.curl("/v1/session", "--json", f"@{path}", *options, who=who, node=node)

    def change(self, who, new):
        answer = self.log_in(who, self.demo[who + "_PASSWORD"], new)
        self.assertEqual(answer.status, 201, answer)
        self.demo.env[f"XINFU_{who}_PASSWORD"] = new
        return answer

    def accounts(self, who="SECURITY_ADMIN"):
        answer = self.demo.as_person(who, "/v1/accounts")
        self.assertEqual(answer.status, 200, answer)
        return {role: account for account in answer.json["accounts"] if account["kind"] == "person" for role in account["roles"]}

    def kill_vault(self):
        old = self.demo.kill("vault")
        wait_until(lambda: set(self.demo.pids().get("vault", ())) - set(old), 10, 0.1, "the vault's return")
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 20, 0.2, "the city's return")

    def leaves_of(self, action):
        return [leaf for leaf in self.demo.leaves() if leaf["action"] == action]

    def journal(self):
        return "".join(path.read_text(errors="replace") for path in (self.demo.dir / "city").rglob("*.log"))


class Chosen(Passwords):
    def test_weak_passwords_are_refused_each_with_its_reason(self):
        """ACC-01, ACC-06: and the old one stays."""
        for password, code in WEAK:
            with self.subTest(password=password):
                problem = self.assertProblem(self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"], password), 400, code)
                self.assertNotIn(password, json.dumps(problem, ensure_ascii=False))
        self.assertTrue(self.demo.session("VIEWER"))
        ten, before = "vT9#kQmZ2x", len(self.leaves_of("set_password"))
        self.assertProblem(self.log_in("SYSTEM_ADMIN", self.demo["SYSTEM_ADMIN_PASSWORD"], ten), 400, "XF-1010")
        self.change("VIEWER", ten)
        self.assertEqual(len(self.leaves_of("set_password")), before + 1)

    def test_none_of_the_last_passwords_is_taken_again(self):
        """ACC-01: also after the vault was killed."""
        first = self.demo["AUDITOR_PASSWORD"]
        for new in NEW[:2]:
            self.change("AUDITOR", new)
        self.kill_vault()
        for used in (first, *NEW[:2]):
            self.assertProblem(self.log_in("AUDITOR", self.demo["AUDITOR_PASSWORD"], used), 400, "XF-1025")
        self.assertProblem(self.log_in("AUDITOR", first), 401, "XF-1007")
        self.assertTrue(self.demo.session("AUDITOR"))

    def test_five_wrong_passwords_lock_also_when_the_vault_is_killed(self):
        """ACC-01: in the middle of the five, and after them."""
        for number in range(5):
            if number == 3:
                self.kill_vault()
            self.assertProblem(self.log_in("APPROVER", f"Wrong-guess {number}"), 401, "XF-1007")
        self.kill_vault()
        locked = self.log_in("APPROVER", self.demo["APPROVER_PASSWORD"])
        self.assertProblem(locked, 429, "XF-1009")
        self.assertLessEqual(1700, int(locked.headers["retry-after"]))
        self.assertLessEqual(int(locked.headers["retry-after"]), 1800)
        self.assertTrue(self.demo.session("VIEWER"), "nobody else is")

    def test_the_command_changes_a_password_and_lists_who_logged_in(self):
        """ACC-04: and says why it could not."""
        def xinfu(*words, old, check=True, **more):
            return run(XINFU, *words, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert", self.demo["DATA_ADMIN_CERT"],
                       "--key", self.demo["DATA_ADMIN_KEY"], "--password-file", self.demo.path(old.encode()), check=check, **more)
        before = self.demo["DATA_ADMIN_PASSWORD"]
        weak = xinfu("password", "set", "--new-password-file", self.demo.path(b"Welcome2026!!"), old=before, check=False)
        self.assertEqual(weak.returncode, 1, weak)
        self.assertIn("easily guessed", weak.stderr.decode())
        xinfu("password", "set", "--new-password-file", self.demo.path(NEW[3].encode()), old=before)
        self.demo.env["XINFU_DATA_ADMIN_PASSWORD"] = NEW[3]
        self.assertProblem(self.log_in("DATA_ADMIN", before), 401, "XF-1007")

        login = self.accounts()["data_administrator"]["last_login"]
        self.assertLess(abs(time.time() - time.mktime(time.strptime(login[:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone), 300)
        self.assertFalse(any(account["unused"] for account in self.accounts().values()))
        listed = run(XINFU, "account", "list", "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
                     self.demo["SECURITY_ADMIN_CERT"], "--key", self.demo["SECURITY_ADMIN_KEY"], "--password-file",
                     self.demo.path(self.demo["SECURITY_ADMIN_PASSWORD"].encode())).stdout.decode()
        self.assertIn("last login 20", listed)
        machine = next(line for line in listed.splitlines() if "submitter" in line)
        self.assertNotIn("last login", machine)

    def test_no_password_is_in_files_logs_or_answers(self):
        """ACC-04: a right one, a wrong one and a refused one."""
        canaries = ("Canary-71 Lattice jib", "Canary-82 Lattice jib", "canary lattice jibs")
        answers = [self.change("SYSTEM_ADMIN", canaries[0]), self.log_in("SYSTEM_ADMIN", canaries[1]),
                   self.log_in("SYSTEM_ADMIN", canaries[0], "canary"), self.log_in("SYSTEM_ADMIN", canaries[0], canaries[2])]
        self.assertEqual([answer.status for answer in answers], [201, 401, 400, 400])
        answers.append(self.log_in("SYSTEM_ADMIN", self.demo["SYSTEM_ADMIN_PASSWORD"]))
        state = pathlib.Path(self.demo["CITY_STATE"]).parent
        files = [path for path in state.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 10)
        texts = [path.read_bytes() for path in files] + [answer.body for answer in answers]
        texts.append(json.dumps(self.demo.leaves()).encode())
        for text in texts:
            for canary in (*canaries, "Canary", "canary lattice"):
                self.assertNotIn(canary.encode(), text)
                self.assertNotIn(canary.encode("utf-16-le"), text)
        self.assertIn("set_password", self.journal(), "what is looked through is where things are told")


class Approved(Passwords):
    def pack(self):
        token = self.demo.session("AUDITOR")
        listed = self.demo.as_person("AUDITOR", "/v1/policies", token=token).json
        digest = next(one["digest"] for one in listed["packs"] if one["kind"] == "access")
        return self.demo.as_person("AUDITOR", f"/v1/policies/{digest}", token=token).text

    def propose(self, text):
        policy = {"packs": [{"kind": "access", "text": text}], "remove": []}
        body = self.demo.path(json.dumps({"act": "policy", "reason": "passwords", "policy": policy}).encode(), ".json")
        return self.demo.as_person("SECURITY_ADMIN", "/v1/requests", "--json", f"@{body}")

    def test_a_rule_that_makes_administrators_weaker_is_refused(self):
        """ACC-06, ACC-01: with its place; so is one below the floors."""
        old = self.pack()
        begin = old.index("  administrators:\n")
        for key, value in (("characters_min", 9), ("guess_bits_min", 35), ("history", 4), ("locked_minutes", 29), ("failures_max", 6),
                           ("session_hours", 12)):
            with self.subTest(key=key):
                line = next(line for line in old[begin:].splitlines() if key in line)
                text = old[:begin] + old[begin:].replace(line, f"    {key}: {value}", 1)
                answer = self.propose(text)
                if key == "session_hours":
                    self.assertEqual(answer.status, 201, "as strict as that of persons")
                    continue
                problem = self.assertProblem(answer, 422, "XF-2026")
                number = text[:text.index(f"    {key}: {value}", begin)].count("\n") + 1
                self.assertIn(f"{number}:", problem["detail"])
                self.assertIn(f"administrators: {key} is weaker than that of persons", problem["detail"])
        for changed in (old.replace("characters_min: 10", "characters_min: 7"), old.replace("days_max: 90", "days_max: 365"),
                        old.replace("    administrator: true\n", "", 1)):
            self.assertProblem(self.propose(changed), 422, "XF-2026")
        bad = self.demo.path(old.replace("characters_min: 12", "characters_min: 8").encode(), ".yaml")
        checked = run(XINFU, "policy", "check", bad, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("weaker than that of persons", (checked.stdout + checked.stderr).decode())

    def test_what_is_approved_is_in_force_at_once(self):
        """ACC-01: for passwords, failures and sessions that are open."""
        old = self.pack()
        new = old.replace("characters_min: 10", "characters_min: 20").replace("characters_min: 12", "characters_min: 20").replace(
            "failures_max: 5", "failures_max: 2")
        self.change("VIEWER", NEW[0])
        asked = self.propose(new)
        self.assertEqual(asked.status, 201, asked)
        self.assertIn("    characters_min: 20", [one["after"] for one in asked.json["differences"]])
        id = asked.json["id"]
        statement = self.demo.as_person("SYSTEM_ADMIN", f"/v1/requests/{id}/approval")
        signed = self.demo.sign(statement.body, "SYSTEM_ADMIN")
        done = self.demo.as_person("SYSTEM_ADMIN", f"/v1/requests/{id}/decision", "-H", "Content-Type: application/cms",
                                   "--data-binary", f"@{signed}")
        self.assertEqual((done.status, done.json["state"]), (200, "executed"), done)
        self.assertTrue(self.demo.session("VIEWER"), "a shorter one goes on until it is changed")
        problem = self.assertProblem(self.log_in("VIEWER", NEW[0], NEW[1]), 400, "XF-1010")
        self.assertIn("20", problem["detail"])
        for _ in range(2):
            self.assertProblem(self.log_in("DATA_ADMIN", "Wrong-guess 17"), 401, "XF-1007")
        self.assertProblem(self.log_in("DATA_ADMIN", self.demo["DATA_ADMIN_PASSWORD"]), 429, "XF-1009")


class Sprayed(Passwords):
    def test_one_password_over_many_accounts_is_refused_and_told_once(self):
        """ACC-01: whoever is logged in, comes from elsewhere, or administers and came from there before, goes on."""
        spray = "Summer-2026-sun"
        token, approver = self.demo.session("VIEWER"), self.demo.session("APPROVER")
        self.change("DATA_ADMIN", NEW[0])
        for who in ("APPROVER", "AUDITOR", "SECURITY_ADMIN", "SYSTEM_ADMIN"):
            self.assertProblem(self.log_in(who, spray), 401, "XF-1007")
        refused = self.log_in("VIEWER", spray)
        self.assertProblem(refused, 429, "XF-1022")
        self.assertLessEqual(500, int(refused.headers["retry-after"]))
        self.assertLessEqual(int(refused.headers["retry-after"]), 600)
        self.assertProblem(self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"]), 429, "XF-1022")
        self.assertEqual(self.demo.as_person("VIEWER", "/v1/status", token=token).status, 200)
        self.assertEqual(self.demo.as_person("APPROVER", "/v1/status", token=approver).status, 200)
        elsewhere = self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"], None, "--interface", "127.0.0.2")
        self.assertEqual(elsewhere.status, 201, elsewhere)
        self.assertEqual(self.log_in("DATA_ADMIN", NEW[0]).status, 201)
        self.assertProblem(self.log_in("DATA_ADMIN", spray), 429, "XF-1022")
        self.assertProblem(self.log_in("DATA_ADMIN", NEW[0]), 429, "XF-1022")
        alarms = self.leaves_of("password_spraying")
        self.assertEqual([(leaf["result"], leaf["code"], leaf["source"]) for leaf in alarms], [("refused", "XF-1022", "127.0.0.1")])
        self.assertEqual(alarms[0]["reason"], "from 127.0.0.1: 4 accounts, 4 wrong passwords")
        self.assertEqual(self.journal().count("password_spraying refused XF-1022"), 1)


class Rotated(OwnClock, Passwords):
    def test_an_expired_password_must_be_changed(self):
        """ACC-04, ACC-06: administrators' sooner; a warning before; unused accounts are reported; no clock set back revives it."""
        day = 24 * 60
        fresh = self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"])
        self.assertNotIn("password_days_left", fresh.json)
        self.assertFalse(fresh.json["password_change_needed"])
        self.pass_time(50 * day)
        self.assertEqual(self.log_in("SYSTEM_ADMIN", self.demo["SYSTEM_ADMIN_PASSWORD"]).json["password_days_left"], 9)
        told = run(XINFU, "account", "list", "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
                   self.demo["SECURITY_ADMIN_CERT"], "--key", self.demo["SECURITY_ADMIN_KEY"], "--password-file",
                   self.demo.path(self.demo["SECURITY_ADMIN_PASSWORD"].encode()))
        self.assertIn("the password expires in 9 days", told.stderr.decode())
        self.pass_time(11 * day)
        expired = self.log_in("SYSTEM_ADMIN", self.demo["SYSTEM_ADMIN_PASSWORD"])
        self.assertIn("60", self.assertProblem(expired, 403, "XF-1021")["detail"])
        self.assertNotIn("token", expired.json)
        self.assertEqual(self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"]).status, 201, "persons have 90 days")
        self.assertProblem(self.log_in("SYSTEM_ADMIN", "Wrong-guess 17"), 401, "XF-1007")
        self.assertProblem(self.log_in("SYSTEM_ADMIN", self.demo["SYSTEM_ADMIN_PASSWORD"], self.demo["SYSTEM_ADMIN_PASSWORD"]),
                           400, "XF-1025")
        self.change("SYSTEM_ADMIN", NEW[0])
        self.assertTrue(self.demo.session("SYSTEM_ADMIN"))

        self.pass_time(31 * day)
        self.assertProblem(self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"]), 403, "XF-1021")
        self.change("SECURITY_ADMIN", NEW[1])
        accounts = self.accounts()
        self.assertEqual({role for role, account in accounts.items() if account["unused"]},
                         {"approver", "auditor", "data_administrator"} & set(accounts))
        listed = run(XINFU, "account", "list", "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
                     self.demo["SECURITY_ADMIN_CERT"], "--key", self.demo["SECURITY_ADMIN_KEY"], "--password-file",
                     self.demo.path(NEW[1].encode())).stdout.decode()
        self.assertEqual(listed.count("UNUSED"), sum(account["unused"] for account in accounts.values()))

        # The machine's clock as it was in the beginning: a vault that starts believes it.
        type(self).wall = type(self).up = 0
        self.write()
        self.kill_vault()
        self.assertProblem(self.log_in("VIEWER", self.demo["VIEWER_PASSWORD"]), 403, "XF-1021")
        self.change("VIEWER", NEW[2])


class OnlyCity(ByHand):
    """The city alone, as `xinfu init` leaves it."""

    def __init__(self, demo):
        self.demo, self.made, self.supervisors = demo, {}, []
        self.home = demo.home / "fresh"
        self.home.mkdir()
        self.make("city", [])
        with open(demo.dir / "fresh.log", "ab") as log:
            self.supervisors.append(subprocess.Popen([BIN / "xinfud", "run", "--config", self.home / "city" / "xinfu.yaml"],
                                                     stdout=log, stderr=log))


class Fresh(Passwords):
    def test_a_new_node_has_no_credential_but_its_persons(self):
        """ACC-05: no guest, no default, no test account; a first password that is too weak is refused and may be tried again."""
        node = OnlyCity(self.demo)
        try:
            where = {"node": "HAND_CITY"}
            wait_until(lambda: self.demo.curl("/healthz", who="AUDITOR", **where).status != 0, 20, 0.2, "the node's start")
            self.assertEqual(self.demo.curl("/v1/status", who=None, **where).status, 0, "no certificate, no answer")
            for name in ("guest", "anonymous", "admin", "root", "test", "xinfu", "demo", "default"):
                self.demo.issue(name.upper(), self.demo.unit(), name)
                for path in ("/v1/status", "/v1/accounts", "/v1/log/checkpoint"):
                    self.assertProblem(self.demo.curl(path, who=name.upper(), **where), 401, "XF-1001")
                self.assertProblem(self.log_in(name.upper(), NEW[0], **where), 401, "XF-1001")
            # Whose certificate the demo's own city knows, but nobody enrolled here.
            self.assertProblem(self.demo.curl("/v1/status", who="VIEWER", **where), 401, "XF-1001")
            for who in ("SECURITY_ADMIN", "APPROVER", "AUDITOR", "SYSTEM_ADMIN"):
                for header in ([], ["-H", "Authorization: Bearer "], ["-H", "Authorization: Bearer " + "0" * 64]):
                    self.assertProblem(self.demo.curl("/v1/status", *header, who=who, **where), 401, "XF-1006")
                self.assertProblem(self.log_in(who, "", **where), 403, "XF-1008")
                for weak in ("admin", "123456", "Admin@123456", "Changeme123!", "Xinfu@123456"):
                    problem = self.assertProblem(self.log_in(who, weak, **where), 400)
                    self.assertIn(problem["code"], ("XF-1010", "XF-1023", "XF-1024"))
                self.assertEqual(self.log_in(who, self.demo[who + "_PASSWORD"], **where).status, 201)
                self.assertProblem(self.log_in(who, NEW[0] if who != "APPROVER" else NEW[1], **where), 401, "XF-1007")
                self.assertEqual(self.log_in(who, self.demo[who + "_PASSWORD"], **where).status, 201, "a slip is no spraying")
            accounts = self.demo.as_person("SECURITY_ADMIN", "/v1/accounts", **where).json["accounts"]
            self.assertEqual(sorted((account["kind"], *account["roles"]) for account in accounts),
                             [("person", "approver"), ("person", "auditor"), ("person", "security_administrator"),
                              ("person", "system_administrator")])
        finally:
            node.stop()


if __name__ == "__main__":
    unittest.main()

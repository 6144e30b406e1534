"""The log is found by what its leaves say, and a record's whole story in it: AUD-01, AUD-06, AUD-07, and the search of issue 6."""
import json
import re
import threading
import unittest

from tests.integration.test_waiting_files import Waiting
from tests.support.demo import XINFU, PENALTY, receipt_leaf, run, wait_until

SEGMENT = 4096  # leaves that the index takes at once
# What would clear the screen, name the window, ring, reverse the order of letters, and be a page's own script.
HOSTILE = "\x1b[2J\x1b]0;gone\x07\u202eevil\u2066\u200b\x7f\x9b31m<script>alert(1)</script>\r\nsecond line\\u{202E}"


class SearchCase(Waiting):
    def setUp(self):
        """Without the catalog change of the class above: files count at once unless a test says otherwise."""

    def search(self, who="AUDITOR", **terms):
        return self.post(who, "/v1/log/search", terms)

    def page(self, **terms):
        answer = self.search(**terms)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def indices(self, **terms):
        """Every page of it."""
        found = []
        while True:
            page = self.page(**terms)
            found += [entry["index"] for entry in page["entries"]]
            if page["next"] is None:
                return found
            self.assertLess(page["next"], terms.get("before", 1 << 60))
            terms["before"] = page["next"]

    def command(self, *words, who="AUDITOR", check=True, **more):
        return run(XINFU, *words, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert", self.demo[who + "_CERT"], "--key",
                   self.demo[who + "_KEY"], "--password-file", self.demo.path(self.demo[who + "_PASSWORD"].encode()), check=check, **more)

    def trace(self, record, *words, node="CITY", key=None, who="AUDITOR", check=True, uppers=("PROVINCE", "NATION")):
        options = [word for upper in uppers for word in ("--upper-log-key", self.demo[upper + "_LOG_KEY"])]
        return run(XINFU, "trace", record, *words, "--log-key", key or self.demo[node + "_LOG_KEY"], *options, "--url",
                   self.demo[node + "_URL"], "--ca", self.demo["CA"], "--cert", self.demo[who + "_CERT"], "--key",
                   self.demo[who + "_KEY"], "--password-file", self.demo.path(self.demo[who + "_PASSWORD"].encode()), check=check)


class Search(SearchCase):
    def test_every_term_finds_what_the_whole_log_has(self):
        row = self.demo.row()
        first = self.demo.submit(self.demo.csv([row]), "found.p7m")
        self.assertEqual(first.status, 201, first)
        self.demo.query(row["CF_XDR_SHXYM"], purpose="核查")
        bad = self.demo.submit(self.demo.penalties(1, CF_XDR_SHXYM="no code"))
        self.assertEqual(bad.status, 422, bad)
        account = self.enrolled("FOUND")
        request = self.leaves_of("open_account")[-1]["approval"]
        submitted = receipt_leaf(first.text)
        leaves = self.demo.leaves()
        now = leaves[-1]["time"]
        middle = leaves[len(leaves) // 2]["time"]

        def all_of(condition):
            return [i for i in range(len(leaves) - 1, -1, -1) if condition(leaves[i])]

        def texts(leaf):
            return {leaf.get("object", {}).get(key) for key in ("id", "digest", "content")}
        refusal = receipt_leaf(bad.json["receipt"])["code"]
        cases = {
            "actor": (submitted["principal"], lambda leaf: leaf.get("principal") == submitted["principal"]),
            "unit": (self.unit, lambda leaf: leaf.get("unit") == self.unit),
            "role": ("viewer", lambda leaf: leaf.get("role") == "viewer"),
            "action": ("submit", lambda leaf: leaf["action"] == "submit"),
            "catalog": (PENALTY, lambda leaf: leaf.get("catalog") == PENALTY),
            "object": (first.id, lambda leaf: first.id in texts(leaf)),
            "approval": (request, lambda leaf: request in (leaf.get("approval"), leaf.get("object", {}).get("id"))),
            "from": (middle, lambda leaf: leaf["time"] >= middle),
        }
        for term, (value, condition) in cases.items():
            expected = all_of(condition)
            self.assertTrue(expected, term)
            found = self.indices(**({term: value, "until": now} if term != "until" else {term: value}))
            # Our own searches came after the log was read, some in its last millisecond.
            self.assertEqual([i for i in found if i < len(leaves)], expected, term)
        for value in (refusal, "refused", "accepted"):
            found = self.indices(result=value, until=now)
            self.assertEqual([i for i in found if i < len(leaves)],
                             all_of(lambda leaf: value in (leaf["result"], leaf.get("code"))), value)
        for digest in (submitted["object"]["digest"], submitted["object"]["content"]):
            self.assertEqual(self.indices(object=digest, action="submit"), all_of(lambda leaf: leaf["action"] == "submit" and digest in texts(leaf)))
        queries = self.page(subject=row["CF_XDR_SHXYM"], action="query")["entries"]
        self.assertEqual([(entry["leaf"]["action"], entry["notes"]["purpose"]) for entry in queries], [("query", "核查")])
        self.assertEqual(self.indices(subject=row["CF_XDR_SHXYM"], action="submit"), [])
        self.assertEqual(self.indices(actor=account, action="open_account"), [])
        until = self.indices(until=middle)
        self.assertEqual(until, [i for i in range(len(leaves) - 1, -1, -1) if leaves[i]["time"] <= middle])
        self.assertEqual(self.indices(action="submit", **{"from": "2020-01-01", "until": "2020-12-31"}), [])
        # Entries are shown as they were logged.
        entry = self.page(object=first.id, action="submit")["entries"][0]
        self.assertEqual((entry["leaf"], entry["notes"]["name"]), (leaves[entry["index"]], "found.p7m"))

    def test_a_search_is_an_entry_itself_and_has_its_receipt(self):
        row = self.demo.row()
        answer = self.page(subject=row["CF_XDR_SHXYM"], action="query")
        self.assertEqual(answer["entries"], [])
        self.demo.verify_receipt(answer["receipt"])
        leaf = receipt_leaf(answer["receipt"])
        self.assertEqual((leaf["action"], leaf["result"], leaf["role"], leaf["counts"]["records"]), ("search_log", "done", "auditor", 0))
        self.assertNotIn(row["CF_XDR_SHXYM"], json.dumps(leaf))
        found = self.page(action="search_log", subject=row["CF_XDR_SHXYM"])["entries"]
        self.assertEqual([entry["leaf"] for entry in found], [leaf], "who searched for a subject is found by it")
        self.assertEqual(json.loads(found[0]["notes"]["purpose"]), {"action": "query"})

    def test_nobody_but_auditors_searches(self):
        for who in ("VIEWER", "APPROVER", "SECURITY_ADMIN", "SYSTEM_ADMIN", "DATA_ADMIN"):
            self.assertProblem(self.search(who, action="submit"), 403, "XF-2001")
        for machine in ("DEPT", "LOG_READER"):
            answer = self.demo.curl("/v1/log/search", "--json", "{}", who=machine)
            self.assertProblem(answer, 403, "XF-2001")
        self.assertProblem(self.demo.curl("/v1/log/search", "--json", "{}", who="AUDITOR"), 401)
        self.assertTrue(self.leaves_of("search_log", code="XF-2001"))

    def test_what_cannot_be_searched_for_is_refused(self):
        for terms, code in (({"subject": "no code"}, "XF-2007"), ({"from": "yesterday"}, "XF-1130"), ({"until": "2026-02-30"}, "XF-1130"),
                            ({"limit": 201}, "XF-1130"), ({"actor": "x" * 257}, "XF-1130"), ({"nothing": "x"}, "XF-1109"),
                            ({"before": -1}, "XF-1109"), ({"before": 1.5}, "XF-1109"), ({"action": 5}, "XF-1109")):
            self.assertProblem(self.search(**terms), 400, code)
        self.assertProblem(self.ask("AUDITOR", "/v1/log/search"), 405)

    def test_hostile_texts_reach_no_terminal(self):
        row = self.demo.row()
        answer = self.demo.query(row["CF_XDR_SHXYM"], purpose=HOSTILE)
        self.assertEqual(answer.status, 200, answer)
        for words in ((), ("--json",)):
            done = self.command("log", "search", "--subject", "-", "--action", "query", *words, input=row["CF_XDR_SHXYM"].encode() + b"\n")
            text = done.stdout.decode()
            bare = re.sub(r"\n", "", text)
            hidden = [c for c in bare if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200b"]
            self.assertEqual(hidden, [], text)
            self.assertIn("evil", text)
            if words:
                self.assertEqual(json.loads(text)["entries"][0]["notes"]["purpose"], HOSTILE)
            else:
                self.assertIn(r"\u{1B}[2J\u{1B}]0;gone\u{7}\u{202E}evil\u{2066}", text)
                self.assertIn(r"\u{D}\u{A}second line\\u{202E}", text)
                self.assertNotIn("\nsecond", text)

    def test_the_command_says_it_in_both_languages_and_pages(self):
        first = self.demo.submit(self.demo.penalties(1))
        english = self.command("log", "search", "--object", first.id, "--action", "submit", env={"LANG": "C"}).stdout.decode()
        self.assertIn("file handed in: accepted", english)
        self.assertIn("1 entry", english)
        chinese = self.command("log", "search", "--object", first.id, "--action", "submit", env={"LANG": "zh_CN.UTF-8"}).stdout.decode()
        self.assertIn("报送文件：接受", chinese)
        one = json.loads(self.command("log", "search", "--action", "submit", "--limit", "1", "--json").stdout)
        self.assertEqual(len(one["entries"]), 1)
        for _ in range(3):
            self.demo.submit(self.demo.penalties(1))
        kept = self.demo.path(suffix=".receipts")
        every = json.loads(self.command("log", "search", "--action", "submit", "--limit", "2", "--all", "--json", "--receipt", kept).stdout)
        self.assertEqual([entry["index"] for entry in every["entries"]],
                         [i for i, leaf in reversed(list(enumerate(self.demo.leaves()))) if leaf["action"] == "submit"])
        self.assertEqual(kept.read_text(), "".join(every["receipts"]))
        self.assertGreater(len(every["receipts"]), 1)
        refused = self.command("log", "search", "--from", "yesterday", check=False)
        self.assertEqual(refused.returncode, 1, refused)


class SearchWhileTheLogGrows(SearchCase):
    def read_often(self, id, times):
        """Readings leave a leaf each; on one connection that stays open."""
        listed, url = self.demo.path(), f"{self.demo['CITY_URL']}/v1/submissions/{id}"
        listed.write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for _ in range(times)))
        run("curl", "--silent", "--show-error", "--fail", "--cacert", self.demo["CA"], *self.demo.identity("DEPT"), "--config", listed,
            timeout=600)

    def test_pages_stay_as_they_are_during_ingest_and_the_index_agrees_with_the_log(self):
        """More than a segment of leaves comes in meanwhile; afterwards every page is what the log itself says."""
        read = self.demo.submit(self.demo.penalties(1))
        ids = [read.id] + [self.demo.submit(self.demo.penalties(1)).id for _ in range(5)]
        before = self.indices(action="submit")
        self.assertEqual(len(before), len(ids))
        threads = [threading.Thread(target=self.read_often, args=(read.id, SEGMENT // 4 + 100)) for _ in range(4)]
        for thread in threads:
            thread.start()
        rounds = 0
        while any(thread.is_alive() for thread in threads):
            page, found = self.page(action="submit", limit=2), []
            while True:
                found += [entry["leaf"]["object"]["id"] for entry in page["entries"]]
                if page["next"] is None:
                    break
                page = self.page(action="submit", limit=2, before=page["next"])
            self.assertEqual(found, ids[::-1])
            rounds += 1
        self.assertGreater(rounds, 1)
        for thread in threads:
            thread.join()
        leaves = self.demo.leaves()
        self.assertGreater(len(leaves), SEGMENT)

        def agrees():
            for terms, condition in (
                    ({"action": "submit"}, lambda leaf: leaf["action"] == "submit"),
                    ({"action": "search_log"}, lambda leaf: leaf["action"] == "search_log"),
                    ({"object": ids[3]}, lambda leaf: leaf.get("object", {}).get("id") == ids[3]),
                    ({"action": "start"}, lambda leaf: leaf["action"] == "start"),
                    ({"action": "submit", "role": "auditor"}, lambda leaf: False)):
                expected = [i for i in range(len(leaves) - 1, -1, -1) if condition(leaves[i])]
                self.assertEqual(self.indices(before=len(leaves), **terms), expected, terms)
        agrees()
        self.restart_vault()
        agrees()
        wait_until(lambda: len(self.indices(before=len(leaves), action="read_submission")) == 4 * (SEGMENT // 4 + 100), 60, 1, "the readings")


class Trace(SearchCase):
    prepared = False

    def setUp(self):
        Waiting.setUp(self)

    def story(self, *words, **more):
        return json.loads(self.trace(*words, "--json", **more).stdout)

    def test_a_corrected_record_that_waited_is_told_step_by_step_at_every_level(self):
        """AUD-06: files, lines, signers, checks, approvals, versions, deliveries and receipts, each verified."""
        row, id, name = self.stored()
        changed = self.waiting(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币贰万元整")]))
        told = self.story(changed.id + "-2")["trace"]
        self.assertEqual([(one.get("version"), one["what"]) for one in told["versions"]], [(1, "first"), (None, "correct")],
                         "a change that waits is no version yet")
        self.assertEqual([(file["id"], file["state"]) for file in told["files"]], [(id, "accepted"), (changed.id, "pending")])
        self.assertEqual(self.approve(changed.id, "APPROVER").json["state"], "executed")
        self.demo.delivered(changed.id)
        self.demo.delivered(id)
        self.demo.query(row["CF_XDR_SHXYM"], purpose="AUD-06")

        answer = self.story(name)
        told = answer["trace"]
        self.assertEqual([(one["version"], one["what"], one["submission"], one["line"]) for one in told["versions"]],
                         [(1, "first", id, 2), (2, "correct", changed.id, 2)])
        self.assertEqual((told["versions"][1]["reason"], told["catalog"], told["unit"]), ("笔误", PENALTY, self.unit))
        self.assertEqual([file["state"] for file in told["files"]], ["accepted", "accepted"])
        for file in told["files"]:
            decision, = file["request"]["decisions"]
            self.assertEqual((decision["role"], decision["approves"]), ("approver", True))
            self.assertEqual({one["level"]: one["state"] for one in file["acknowledgements"]}, {"province": "delivered", "nation": "delivered"})
            self.assertEqual((len(file["sent"]), len(file["content"]), len(file["pack"])), (1, 64, 64))
        self.assertEqual(answer["unverified"], [])
        leaves = self.demo.leaves()
        self.assertEqual(answer["entries"], {key: leaves[int(key)] for key in answer["entries"]})
        actions = [leaf["action"] for leaf in answer["entries"].values()]
        for action in ("submit", "approve_request", "decide_submission", "deliver", "query", "trace_record"):
            self.assertIn(action, actions)
        self.assertEqual(self.story(changed.id + "-2")["trace"]["record"], name, "the line that changed it leads to it, too")
        # No field of the record, to an auditor.
        for secret in (row["CF_XDR_MC"], row["CF_XDR_SHXYM"], row["CF_WSH"]):
            self.assertNotIn(secret, json.dumps(answer, ensure_ascii=False))
        for node in ("PROVINCE", "NATION"):
            above = self.story(name, node=node, uppers=("NATION",) if node == "PROVINCE" else ())
            self.assertEqual([(one["version"], one["what"]) for one in above["trace"]["versions"]], [(1, "first"), (2, "correct")], node)
            for here, there in zip(told["files"], above["trace"]["files"]):
                self.assertEqual(here["origin"], there["origin"], node)
                self.assertEqual(here["content"], there["content"])
            self.assertEqual([one["digest"] for one in told["versions"]], [one["digest"] for one in above["trace"]["versions"]])

        text = self.trace(name).stdout.decode()
        for words in ("version 1: brought by line 2", "version 2: corrected by line 2", "approved by", "its receipt verified",
                      "verified: this answer and"):
            self.assertIn(words, text)
        self.assertIn("its receipt not verified", self.trace(name, uppers=()).stdout.decode())

    def test_the_units_own_approver_sees_it_but_not_who_read_it(self):
        row, _, name = self.stored()
        self.demo.query(row["CF_XDR_SHXYM"])
        answer = self.story(name, who="APPROVER")
        actions = {leaf["action"] for leaf in answer["entries"].values()}
        self.assertLessEqual({"submit", "decide_submission"}, actions)
        self.assertFalse(actions & {"query", "read_submission", "trace_record"}, actions)
        for who in ("VIEWER", "SYSTEM_ADMIN", "DATA_ADMIN"):
            self.assertProblem(self.ask(who, f"/v1/trace/{name}"), 403, "XF-2001")
        # Another unit's section head may trace, but not this record.
        unit = self.demo.unit("DEPT2")
        self.enrolled("OTHER_HEAD", unit=unit, number="made-up-701", roles=["approver"])
        self.assertProblem(self.ask("OTHER_HEAD", f"/v1/trace/{name}"), 404, "XF-2005")

    def test_what_there_is_not_is_told_apart(self):
        _, id, _ = self.stored()
        self.assertProblem(self.ask("AUDITOR", f"/v1/trace/{id}-3"), 404, "XF-1131")
        for name in ("0" * 32 + "-2", id, "x", id + "-02", id + "-2x", id + "-"):
            self.assertProblem(self.ask("AUDITOR", f"/v1/trace/{name}"), 404, "XF-2005")

    def test_another_logs_key_or_a_changed_story_does_not_verify(self):
        _, id, name = self.stored()
        wrong = self.trace(name, key=self.demo["PROVINCE_LOG_KEY"], check=False)
        self.assertEqual(wrong.returncode, 4, wrong)
        self.assertIn("XF-8003", wrong.stderr.decode())
        kept = self.demo.path(suffix=".json")
        self.trace(name, "--out", kept)
        offline = [XINFU, "trace", name, "--answer", kept, "--log-key", self.demo["CITY_LOG_KEY"]]
        self.assertIn("verified: this answer", run(*offline).stdout.decode())
        whole = kept.read_text()
        receipts = re.findall(r'"receipt":"c2sp[^"]*"', whole)
        changes = {"the account": whole.replace(f'"account":"{json.loads(whole)["trace"]["files"][0]["account"]}"', '"account":"m-9999"', 1),
                   "a leaf's receipt": whole.replace(receipts[0], receipts[1], 1),
                   "the answer's receipt": whole.replace(receipts[-1], receipts[0], 1),
                   "no receipt": whole.replace(receipts[-1], '"receipt":""', 1),
                   "cut": whole[:len(whole) // 2]}
        for what, text in changes.items():
            self.assertNotEqual(text, whole, what)
            kept.write_text(text)
            self.assertEqual(run(*offline, check=False).returncode, 4, what)
        kept.write_text(whole)
        another = run(XINFU, "trace", id + "-3", *offline[3:], check=False)
        self.assertEqual((another.returncode, "XF-1132" in another.stderr.decode()), (4, True), another)
        self.demo.delivered(id)
        forged = self.demo["PROVINCE_LOG_KEY"].split("+")[0] + "+" + self.demo["CITY_LOG_KEY"].split("+", 1)[1]
        above = self.trace(name, "--upper-log-key", forged, uppers=(), check=False)
        self.assertNotEqual(above.returncode, 0, above)


if __name__ == "__main__":
    unittest.main()

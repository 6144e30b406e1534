"""Recipients read every version of a catalog's records once, in one order, with what their role may extract and no more, and each
page they got is on the log. ROL-07, AUD-04, REC-01, UP-07."""
import hashlib
import http.client
import json
import os
import random
import ssl
import threading
import unittest
import urllib.parse

from tests.integration import test_corrections, test_waiting_files
from tests.support.canary import NAME, NUMBER, canary_row, canary_table
from tests.support.demo import PENALTY, wait_until
from tests.support.people import PeopleCase
from tests.support.records import penalties
from tests.support.senders import Senders

KILLS = 4 if os.environ.get("XINFU_SANITIZED") else 8
WAITING_MAX = 64  # of one account


def lines_of(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


class FeedCase(PeopleCase):
    changes = test_corrections.Corrections.changes
    correct = test_corrections.Corrections.correct
    withdraw = test_corrections.Corrections.withdraw

    def ask_feed(self, who="RECIPIENT", node="CITY", catalog=PENALTY, timeout=60, **parameters):
        return self.demo.curl(f"/v1/feeds/{catalog}?" + urllib.parse.urlencode(parameters), who=who, node=node, timeout=timeout)

    def page(self, after, **more):
        answer = self.ask_feed(after=after, **more)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["content-type"], "application/jsonl")
        return answer

    def read(self, after=0, limit=1000, **more):
        """Everything behind a position."""
        found = []
        while True:
            answer = self.page(after, limit=limit, **more)
            lines = lines_of(answer)
            if not lines:
                self.assertEqual(answer.headers["xf-next"], str(after))
                return found
            self.assertLessEqual(len(lines), limit)
            self.assertEqual(answer.headers["xf-next"], str(lines[-1]["seq"]))
            found += lines
            after = lines[-1]["seq"]

    def end(self, node="CITY"):
        lines = self.read(node=node)
        return lines[-1]["seq"] if lines else 0

    def accepted(self, content, **more):
        answer = self.demo.submit(content, **more)
        self.assertEqual(answer.status, 201, answer)
        return answer

    def assertGapless(self, lines, after=0):
        self.assertEqual([line["seq"] for line in lines], list(range(after + 1, after + 1 + len(lines))))


class Feeds(FeedCase):
    def test_pages_of_any_size_give_the_same_versions_in_one_order(self):
        before = self.end()
        rows = {}
        for count in (1, 3, 130):
            file = [self.demo.row() for _ in range(count)]
            id = self.accepted(self.demo.csv(file)).id
            rows |= {f"{id}-{number + 2}": (id, row) for number, row in enumerate(file)}
        whole = self.read(before)
        self.assertGapless(whole, before)
        self.assertEqual([line["record"] for line in whole], list(rows))
        for line in whole:
            id, row = rows[line["record"]]
            self.assertEqual((line["op"], line["version"], line["submission"]), ("put", 1, id))
            self.assertEqual((line["fields"]["CF_WSH"], line["fields"]["CF_XDR_SHXYM"]), (row["CF_WSH"], row["CF_XDR_SHXYM"]))
        for limit in (1, 7, 64, 100):
            self.assertEqual(self.read(before, limit), whole, limit)
        self.assertEqual(self.read(before + 77), whole[77:])
        self.assertEqual(lines_of(self.page(10 ** 15)), [])

    def test_a_file_with_duplicates_is_read_from_anywhere_also_after_a_restart(self):
        """Big enough to be staged; blocks with holes, and empty ones."""
        before = self.end()
        first = 5_000_000
        self.accepted(penalties(200, self.unit, first + 1000))
        self.accepted(penalties(50, self.unit, first + 2500))
        mixed = self.accepted(penalties(3000, self.unit, first))
        counts = self.demo.submission(mixed.id).json["counts"]
        self.assertEqual((counts["stored"], counts["duplicate"]), (2750, 250))
        whole = self.read(before)
        self.assertEqual(len(whole), 3000)
        self.assertGapless(whole, before)
        self.assertEqual(len({line["record"] for line in whole}), 3000)
        self.restart_vault()
        chosen = random.Random(7)
        for offset in [2999, 250, 0, *(chosen.randrange(3000) for _ in range(10))]:
            got = lines_of(self.page(before + offset, limit=20))
            self.assertEqual(got, whole[offset:offset + 20], offset)

    def test_each_page_is_on_the_log_with_its_range_and_digest(self):
        """AUD-04. What said nothing shares a leaf; waiting in vain leaves none."""
        before = self.end()
        self.accepted(self.demo.penalties(5))
        pages = [self.page(before, limit=2), self.page(before + 2, limit=2), self.page(before + 4, limit=2)]
        leaves = self.demo.leaves()
        for number, answer in enumerate(pages):
            leaf = leaves[int(answer.headers["xf-leaf"])]
            first = before + 1 + 2 * number
            self.assertEqual((leaf["action"], leaf["result"], leaf["catalog"], leaf["role"], leaf["reason"]),
                             ("extract", "done", PENALTY, "recipient", "public"))
            self.assertEqual(leaf["object"], {"type": "feed", "id": f"{first}-{answer.headers['xf-next']}",
                                              "digest": hashlib.sha256(answer.body).hexdigest()})
            self.assertEqual(leaf["counts"]["records"], len(lines_of(answer)))
            self.assertNotEqual(leaf["unit"], self.unit)
        self.assertNotIn("xf-leaf", self.page(before + 5).headers)
        count = len(self.leaves_of("extract"))
        waited = self.page(before + 5, wait=1)
        self.assertEqual((waited.body, waited.headers["xf-next"]), (b"", str(before + 5)))
        self.assertEqual(len(self.leaves_of("extract")), count)
        self.demo.log_verify()

    def test_fields_are_those_of_the_roles_classes_masked_and_no_others(self):
        before = self.end()
        row = self.demo.row(CF_FRDB="欧阳测试")
        self.accepted(canary_table(self.demo, [row, canary_row(self.demo)]))
        self.enrolled("GOVERNMENT", roles=["government_recipient"])
        public, government = self.read(before), self.read(before, who="GOVERNMENT")
        self.assertEqual(public[0]["fields"]["CF_XDR_MC"], row["CF_XDR_MC"])
        self.assertNotIn("CF_FRDB", public[0]["fields"])
        self.assertEqual(government[0]["fields"]["CF_FRDB"], "欧***")
        self.assertEqual({key: value for key, value in government[0]["fields"].items() if key in public[0]["fields"]},
                         public[0]["fields"])
        for lines in (public, government):
            self.assertEqual(lines[1]["fields"]["CF_XDR_MC"], NAME[0] + "*" * (len(NAME) - 1))
            self.assertNotIn("CF_XDR_ZJHM", lines[1]["fields"])
            self.assertNotIn(NUMBER[6:14], json.dumps(lines, ensure_ascii=False))
        shown = {leaf["reason"] for leaf in self.leaves_of("extract", role="government_recipient") if "reason" in leaf}
        self.assertEqual(shown, {"public,government"})

    def test_only_recipients_extract_and_only_their_catalogs(self):
        """ROL-07: who hands in, queries or reads the log has no right to extract."""
        for who in ("DEPT", "LOG_READER"):
            self.assertProblem(self.ask_feed(who), 403, "XF-2001")
            self.assertProblem(self.ask_feed(who, wait=5), 403, "XF-2001")
        for who in ("VIEWER", "SECURITY_ADMIN"):
            self.assertProblem(self.ask(who, f"/v1/feeds/{PENALTY}"), 403, "XF-2001")
        refused = self.leaves_of("extract", result="refused", code="XF-2001", catalog=PENALTY)
        self.assertGreaterEqual(len({leaf["principal"] for leaf in refused}), 4)
        self.enrolled("BOUND", roles=["recipient"], catalogs=["administrative-licence"])
        self.assertProblem(self.ask_feed("BOUND"), 403, "XF-2001")
        self.assertEqual(self.ask_feed("BOUND", catalog="administrative-licence").status, 200)
        self.assertProblem(self.ask_feed(catalog="no-such-catalog"), 404, "XF-2003")
        for wrong in ({"after": -1}, {"after": "x"}, {"limit": 0}, {"limit": 1001}, {"wait": 31}, {"before": 1}):
            problem = self.assertProblem(self.ask_feed(**wrong), 400, "XF-1117")
            self.assertIn(next(iter(wrong)), problem["detail"])
        self.assertProblem(self.demo.curl(f"/v1/feeds/{PENALTY}", "-X", "DELETE", who="RECIPIENT"), 405, "XF-1104")

    def test_corrections_and_withdrawals_are_further_versions_at_every_level(self):
        before = {node: self.end(node) for node in ("CITY", "PROVINCE", "NATION")}
        row, other = self.demo.row(), self.demo.row()
        first = self.accepted(self.demo.csv([row, other]))
        name = first.id + "-2"
        fix = self.accepted(self.changes([self.correct(row, name, 1, CF_NR="罚款人民币贰万元整")]))
        gone = self.accepted(self.changes([self.withdraw(name, 2)], header=[]))
        self.demo.delivered(gone.id)
        for node, after in before.items():
            lines = self.read(after, node=node)
            self.assertGapless(lines, after)
            self.assertEqual([(line["op"], line["record"], line["version"], line.get("fields", {}).get("CF_NR")) for line in lines],
                             [("put", name, 1, row["CF_NR"]), ("put", first.id + "-3", 1, other["CF_NR"]),
                              ("correct", name, 2, "罚款人民币贰万元整"), ("withdraw", name, 3, None)], node)
            self.assertNotIn("fields", lines[3])
            if node == "CITY":
                self.assertEqual([line["submission"] for line in lines], [first.id, first.id, fix.id, gone.id])

    def test_a_file_that_waits_has_its_positions_from_its_approval_on(self):
        allow, shown = test_waiting_files.Waiting.allow, test_waiting_files.Waiting.shown
        type(self).shown = shown
        self.replace_pack(PENALTY, lambda text: text.replace(
            "defective_records: refuse_file\n", "defective_records: refuse_file\napprovals: [submit]\n", 1))
        try:
            before = self.end()
            waiting, refused = self.demo.submit(self.demo.penalties(2)), self.demo.submit(self.demo.penalties(1))
            self.assertEqual((waiting.status, refused.status), (202, 202))
            self.assertEqual(self.read(before), [])
            self.assertEqual(allow(self, waiting.id).status, 200)
            lines = self.read(before)
            self.assertEqual([line["submission"] for line in lines], [waiting.id] * 2)
            self.assertGapless(lines, before)
        finally:
            self.replace_pack(PENALTY, lambda text: text.replace("approvals: [submit]\n", "", 1))


class Waiting(FeedCase):
    def connection(self):
        url = urllib.parse.urlsplit(self.demo["CITY_URL"])
        context = ssl.create_default_context(cafile=self.demo["CA"])
        context.load_cert_chain(self.demo["RECIPIENT_CERT"], self.demo["RECIPIENT_KEY"])
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=60, context=context)

    def wait_on(self, connection, after, seconds=30):
        connection.request("GET", f"/v1/feeds/{PENALTY}?after={after}&wait={seconds}")
        return connection

    def test_a_wait_ends_with_the_commit_that_brings_something(self):
        """Before its time is over: the reader gives up sooner."""
        after = self.end()
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.ask_feed(after=after, wait=30, timeout=25)))
        waiting.start()
        other = self.connection()
        self.wait_on(other, after)  # over the same connection the next request is answered in its turn
        id = self.accepted(self.demo.penalties(1)).id
        waiting.join()
        self.assertEqual([(line["seq"], line["submission"]) for line in lines_of(answers[0])], [(after + 1, id)], answers[0])
        self.assertEqual(json.loads(other.getresponse().read())["submission"], id)
        self.wait_on(other, after)
        self.assertEqual(json.loads(other.getresponse().read())["submission"], id, "it is there already")
        self.wait_on(other, after + 1, 1)
        answer = other.getresponse()
        self.assertEqual((answer.status, answer.read(), answer.headers["XF-Next"]), (200, b"", str(after + 1)))
        other.close()

    def test_those_who_wait_hold_up_nobody_and_leave_with_their_connections(self):
        after = self.end()
        waiting = [self.wait_on(self.connection(), after) for _ in range(WAITING_MAX)]
        try:
            full = wait_until(lambda: next((a for a in [self.ask_feed(after=after, wait=1)] if a.status != 200), None),
                              what="the last of them to be waiting")
            self.assertProblem(full, 429, "XF-1108")
            self.assertEqual(self.page(0, limit=1).status, 200, "reading needs no place among those who wait")
            self.assertEqual(self.demo.curl("/v1/status", who="RECIPIENT").status, 200)
            self.assertEqual(self.demo.curl("/v1/status").status, 200)
            for connection in waiting[:8]:
                connection.close()
            wait_until(lambda: self.ask_feed(after=after, wait=1).status == 200, 12, what="the place of one that has left")
            id = self.accepted(self.demo.penalties(1)).id
            for connection in waiting[8:]:
                self.assertEqual(json.loads(connection.getresponse().read())["submission"], id)
        finally:
            for connection in waiting:
                connection.close()

    def test_a_wait_ends_when_the_account_does(self):
        id = self.enrolled("LEAVING", roles=["recipient"])
        after = self.end()
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.ask_feed("LEAVING", after=after, wait=30, timeout=25)))
        waiting.start()
        self.assertEqual(self.post("SECURITY_ADMIN", f"/v1/accounts/{id}/disable", {"reason": "over"}).status, 200)
        waiting.join()
        self.assertIn(answers[0].status, (0, 401, 403), answers[0])


class Kills(FeedCase):
    def follow(self, stop, limits, pages):
        """What a recipient does: asks after the last it has, and again when there was no answer. Ends when there is nothing
        more and the others have stopped."""
        after = 0
        while True:
            stopped = stop.is_set()
            answer = self.ask_feed(after=after, limit=limits(), wait=0 if stopped else 2, timeout=30)
            if answer.status != 200:
                self.assertIn(answer.status, (0, 429, 503, 401), answer)
                continue
            if answer.body:
                pages.append(answer)
                after = int(answer.headers["xf-next"])
            elif stopped:
                return

    def test_nothing_is_missed_or_doubled_whatever_dies(self):
        chosen = random.Random(20261123)
        stop, pages, failures = threading.Event(), [[], []], []

        def reader(place, limits):
            try:
                self.follow(stop, limits, pages[place])
            except Exception as why:  # told by the test, not by the thread
                failures.append(why)
        readers = [threading.Thread(target=reader, args=(0, lambda: chosen.choice((1, 3, 50, 1000)))),
                   threading.Thread(target=reader, args=(1, lambda: 1000))]
        for one in readers:
            one.start()
        try:
            with Senders(self.demo, (40, 2, 1)) as senders:
                big = self.demo.sign(penalties(4000, self.unit, 7_000_000))
                for number in range(KILLS):
                    wanted = len(pages[0]) + 3
                    wait_until(lambda: len(pages[0]) >= wanted, 60, 0.05, f"pages before kill {number}")
                    if number == KILLS // 2:
                        sending = threading.Thread(target=lambda: self.demo.put(big, "big.p7m"))
                        sending.start()
                    before = self.demo.kill(chosen.choice(["vault", "vault", "gateway"]))
                    wait_until(lambda: not set(before) & {pid for pids in self.demo.pids().values() for pid in pids}, 30, 0.05)
                sending.join()
                last = wait_until(lambda: next((a for a in [self.demo.put(big, "big.p7m")] if a.status in (200, 201)), None), 60)
        finally:
            stop.set()
            for one in readers:
                one.join(120)
        self.assertEqual(failures, [])
        got = [[line for answer in of_one for line in lines_of(answer)] for of_one in pages]
        self.assertGapless(got[0])
        self.assertEqual(got[0], got[1], "two recipients")
        self.assertEqual(got[0], self.read(), "and one that comes later")
        by_submission = {}
        for line in got[0]:
            by_submission.setdefault(line["submission"], []).append(line["record"])
        self.assertGreater(len(senders.promises), KILLS)
        self.assertEqual(senders.unexpected, [])
        for promise in senders.promises:
            if promise.id:
                count = {"0": 40, "1": 2, "2": 1}[promise.name.split("-")[1]]
                self.assertEqual(len(set(by_submission[promise.id])), count, promise.name)
        big_id = last.headers["location"].rsplit("/", 1)[1] if "location" in last.headers else None
        self.assertIn(4000, [len(set(records)) for records in by_submission.values()], big_id)
        leaves = self.demo.leaves()
        for answer in pages[0] + pages[1]:
            self.assertEqual(leaves[int(answer.headers["xf-leaf"])]["object"]["digest"], hashlib.sha256(answer.body).hexdigest())
        print(f"{KILLS} kills, {len(senders.promises)} files, {len(got[0])} versions in {len(pages[0])} and {len(pages[1])} pages")


class Routes(PeopleCase):
    """What the level above has taken of a route, for those who may know: UP-07."""
    node = "PROVINCE"

    def test_a_route_tells_its_next_number_and_only_to_those_it_concerns(self):
        id = self.demo.submit(self.demo.penalties(1)).id
        self.demo.delivered(id)
        link = self.demo.curl("/v1/status").json["links"][0]
        shown = self.ask("SYSTEM_ADMIN", f"/v1/routes/{link['route']}")
        self.assertEqual(shown.json, {"route": link["route"], "next_sequence": link["next_sequence"], "missing": []})
        self.assertGreater(link["next_sequence"], 1)
        asked = self.opened(self.form("BELOW", ["platform"]) | {"kind": "platform", "units": [self.unit]})
        self.assertEqual(self.approve(asked["id"]).status, 200)
        other = self.demo.curl(f"/v1/routes/{link['route']}", who="BELOW", node="PROVINCE")
        self.assertEqual(other.json, {"route": link["route"], "next_sequence": 1, "missing": []}, "of its own there is none yet")
        self.assertProblem(self.demo.curl(f"/v1/routes/{link['route']}", who="LOG_READER", node="PROVINCE"), 403, "XF-2001")


if __name__ == "__main__":
    unittest.main()

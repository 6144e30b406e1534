"""The level above co-signs the log: receipts say so to anybody who has its key, and a node that was put back to an older state
is stopped by it. AUD-03, AUD-05, AUD-07, BAK-04."""
import json
import os
import pathlib
import re
import shutil
import signal
import time
import unittest

from tests.support.demo import XINFU, DemoCase, receipt_index, run, wait_until
from tests.support.people import PeopleCase
from tests.support.verifier_programs import build


class Cosigned(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.verifier = build(cls.demo.work / "verifier")

    def cosigned_receipt(self, id):
        def newest():
            answer = self.demo.curl(f"/v1/submissions/{id}/receipt")
            return answer if answer.status == 200 and "\n— province/witness " in answer.text else None
        return wait_until(newest, 20, 0.3, "the witness's line")

    def test_a_receipt_gets_the_line_of_the_witness_and_every_verifier_sees_it(self):
        file = self.demo.sign(self.demo.penalties(2))
        taken = self.demo.put(file)
        receipt = self.cosigned_receipt(taken.id)
        self.assertEqual(receipt_index(receipt.text), receipt_index(taken.text))
        path = self.demo.path(receipt.body, ".receipt")
        log, witness = self.demo["CITY_LOG_KEY"], self.demo["PROVINCE_WITNESS_KEY"]
        run(self.verifier, "cosigned", path, log, witness)
        run(self.verifier, "receipt", path, log, file)
        ours = ["receipt", "verify", path, "--file", file, "--log-key", log]
        done = run(XINFU, *ours, "--witness-key", witness, "--quorum", 1, "--strict", "--json")
        self.assertIn(b'"verified_by":["city/log","province/witness"]', done.stdout.replace(b" ", b""))
        other = self.demo["NATION_WITNESS_KEY"]
        self.assertEqual(run(XINFU, *ours, "--witness-key", other, check=False).returncode, 4)
        self.assertEqual(run(XINFU, *ours, "--strict", check=False).returncode, 4, "a line that no given key covers")
        first = self.demo.path(taken.body, ".receipt")
        self.assertEqual(run(XINFU, "receipt", "verify", first, "--log-key", log, "--witness-key", witness,
                                           check=False).returncode, 4, "it came before the witness signed")
        text = receipt.text
        line = re.search(r"— province/witness (\S+)\n", text).group(1)
        for place in range(0, len(line), 7):
            changed = line[:place] + ("A" if line[place] != "A" else "B") + line[place + 1:]
            forged = self.demo.path(text.replace(line, changed).encode(), ".receipt")
            self.assertNotEqual(run(self.verifier, "cosigned", forged, log, witness, check=False).returncode, 0, place)
            self.assertEqual(run(XINFU, "receipt", "verify", forged, "--log-key", log, "--witness-key", witness,
                                               check=False).returncode, 4, place)

    def test_the_whole_log_is_verified_with_its_witness_at_every_level_that_has_one(self):
        self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)
        for node, witness in (("CITY", "PROVINCE"), ("PROVINCE", "NATION")):
            done = self.demo.log_verify(node, witness=witness)
            self.assertIn(f"{witness.lower()}/witness", done.stdout.decode())

    def test_every_cosigned_checkpoint_is_an_entry_of_the_witness_s_own_log(self):
        taken = self.demo.submit(self.demo.penalties(1))
        receipt = self.cosigned_receipt(taken.id).text
        size = int(receipt.split("\n\n", 1)[1].split("\n")[1])
        leaves = [leaf for leaf in self.demo.leaves("PROVINCE") if leaf["action"] == "cosign"]
        self.assertIn(f"city/log/{size}", [leaf["object"]["id"] for leaf in leaves])
        for leaf in leaves:
            self.assertEqual((leaf["result"], leaf["role"], leaf["object"]["type"]), ("done", "platform", "checkpoint"))

    def test_a_quiet_node_grows_quiet(self):
        self.cosigned_receipt(self.demo.submit(self.demo.penalties(1)).id)

        def sizes():
            return [re.search(r"^xinfu_log_entries (\d+)", self.demo.local("/metrics", node)[1], re.M).group(1)
                    for node in ("CITY", "PROVINCE", "NATION")]

        def still():
            """For three times as long as it takes to ask the witness."""
            before = sizes()
            time.sleep(6)
            return sizes() == before
        wait_until(still, 60, 0.1, "logs that stand still")

    def test_while_the_witness_is_away_receipts_are_given_and_its_line_comes_later(self):
        for pid in self.demo.pids("PROVINCE")["gateway"]:
            os.kill(pid, signal.SIGSTOP)
        try:
            taken = self.demo.submit(self.demo.penalties(1))
            self.assertEqual(taken.status, 201)
            self.demo.verify_receipt(taken.body)
        finally:
            for pid in self.demo.pids("PROVINCE")["gateway"]:
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: self.cosigned_receipt(taken.id), 90, 0.5, "the line")


class RolledBack(DemoCase):
    def test_an_older_state_is_recognised_before_anything_is_answered_and_the_newer_one_goes_on(self):
        demo, state = self.demo, pathlib.Path(self.demo["CITY_STATE"])
        older, newer = demo.home / "older", demo.home / "newer"
        first = demo.submit(demo.penalties(1))
        demo.delivered(first.id)
        demo.log_verify("CITY", witness="PROVINCE")
        demo.stop()
        shutil.copytree(state, older)
        demo.start()
        demo.await_city()
        kept = [demo.submit(demo.penalties(1)) for _ in range(3)]
        for answer in kept:
            self.assertEqual(answer.status, 201)
        demo.log_verify("CITY", witness="PROVINCE")  # the witness has seen these
        demo.stop()
        shutil.copytree(state, newer)
        shutil.rmtree(state)
        shutil.copytree(older, state)
        demo.start()

        def refused():
            answer = demo.curl("/v1/status")
            self.assertIn(answer.status, (0, 503), "something was answered")
            return answer if answer.status == 503 and answer.json["code"] == "XF-6012" else None
        answer = wait_until(refused, 30, 0.2, "the refusal")
        self.assertProblem(answer, 503, "XF-6012")
        self.assertIn("province/witness", answer.json["detail"])
        for request in (lambda: demo.submit(demo.penalties(1)), lambda: demo.curl("/v1/log/checkpoint"),
                        lambda: demo.curl(f"/v1/submissions/{first.id}/receipt")):
            self.assertProblem(request(), 503, "XF-6012")
        self.assertIn("the log was rolled back", (demo.dir / "city" / "restarted.log").read_text())
        self.assertNotEqual(demo.local("/readyz")[0], 200)
        demo.stop()

        shutil.rmtree(state)
        shutil.copytree(newer, state)
        demo.start()
        demo.await_city()
        for answer in kept:
            demo.verify_receipt(demo.curl(f"/v1/submissions/{answer.id}/receipt").body)
        self.assertEqual(demo.submit(demo.penalties(1)).status, 201)
        demo.log_verify("CITY", witness="PROVINCE")


class WitnessOfOthers(PeopleCase):
    """The city as the witness of a log that is made by Go's sumdb packages."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = build(cls.demo.work / "witnessed_log", "witnessed_log")
        cls.verifier = build(cls.demo.work / "verifier")
        cls.key, cls.log_key = cls.new_log("other/log")
        cls.demo.restart_city(lambda text: text + f"witnessed:\n  - node: other\n    log_key: {cls.log_key}\n")
        cls.tokens.clear()
        cls.witness_key = json.loads(cls.demo.xinfu("AUDITOR", "status", "--json").stdout)["witness_key"]

    @classmethod
    def new_log(cls, name):
        path = cls.demo.path(suffix=".key")
        return path, run(cls.program, "key", name, path).stdout.decode().strip()

    def setUp(self):
        if "XINFU_LOWER_CERT" not in self.demo.env:
            self.enrolled("LOWER", kind="platform", roles=["platform"], units=[self.unit])

    def body(self, old, new, *fork, key=None):
        return run(self.program, "ask", key or self.key, old, new, *fork).stdout

    def add(self, body, who="LOWER"):
        return self.demo.curl("/v1/log/witness/add-checkpoint", "--data-binary", f"@{self.demo.path(body)}", who=who)

    @staticmethod
    def forged(body):
        """One character in the middle of the signature, far from the key's number."""
        place = body.rindex(b" ") + 40
        return body[:place] + (b"A" if body[place:place + 1] != b"A" else b"B") + body[place + 1:]

    def size(self):
        """How much of the log was co-signed, as the witness says."""
        answer = self.add(self.body(1_000, 1_000))
        self.assertEqual((answer.status, answer.headers["content-type"]), (409, "text/x.tlog.size"), answer)
        return int(answer.text)

    def accepted(self, old, new):
        body = self.body(old, new)
        answer = self.add(body)
        self.assertEqual(answer.status, 200, answer)
        note = body.split(b"\n\n", 1)[1] if old in (0, new) else body[body.index(b"\n\nother/log\n") + 2:]
        run(self.verifier, "cosigned", self.demo.path(note + answer.body), self.log_key, self.witness_key)

    def test_it_signs_what_continues_and_nothing_else(self):
        refused = len(self.leaves_of("cosign", code="XF-7035"))
        start = self.size()
        self.accepted(start, start + 5)
        self.accepted(start + 5, start + 5)  # the same once more
        self.accepted(start + 5, start + 300)
        end = start + 300
        cases = {
            "stale": (self.body(start + 5, end + 1), 409),
            "another history": (self.body(end, end + 7, end - 2), 422),
            "the same size, another root": (self.body(end, end, end - 1), 422),
            "backwards": (self.body(end, end - 1), 400),
            "from nothing again": (self.body(0, end + 3), 409),
            "another key": (self.body(end, end + 3, key=self.new_log("other/log")[0]), 403),
            "a signature changed in one place": (self.forged(self.body(end, end + 3)), 403),
            "another log": (self.body(end, end + 3, key=self.new_log("unknown/log")[0]), 404),
        }
        for name, (body, status) in cases.items():
            with self.subTest(name):
                answer = self.add(body)
                self.assertEqual(answer.status, status, answer)
                if status == 409:
                    self.assertEqual(answer.text, f"{end}\n")
        self.assertEqual(self.size(), end)
        self.assertEqual(len(self.leaves_of("cosign", code="XF-7035")) - refused, 2)

    def test_a_proof_cut_short_lengthened_or_changed(self):
        start = self.size()
        self.accepted(start, start + 11)
        lines = self.body(start + 11, start + 40).split(b"\n")
        blank = lines.index(b"")
        self.assertGreater(blank, 2)
        shorter = lines[:blank - 1] + lines[blank:]
        longer = lines[:blank] + [lines[1]] + lines[blank:]
        swapped = [lines[0], lines[2], lines[1]] + lines[3:]
        for changed in (shorter, longer, swapped):
            self.assertEqual(self.add(b"\n".join(changed)).status, 422)
        self.assertEqual(self.size(), start + 11)
        self.accepted(start + 11, start + 40)

    def test_rubbish_is_refused_in_form(self):
        good = self.body(self.size(), 5_000)
        for body in (b"", b"old\n", b"old 00\n\n", b"old -1\n\n", b"old 5\n\n", good[:-2], good.replace(b"old ", b"OLD "),
                     good.replace(b"other/log\n5000\n", b"other/log\n05000\n"), good + b"rubbish\n", b"\xff" * 500,
                     b"old 1\n" + b"A" * 43 + b"=\n" * 3 + good[good.index(b"\n\n"):], good.replace(b"\n\nother", b"\nother")):
            with self.subTest(body[:40]):
                self.assertProblem(self.add(body), 400, "XF-7033")
        self.assertEqual(self.add(good + b"x" * 100_000).status, 413)

    def test_who_is_no_lower_node_gets_no_signature(self):
        body = self.body(self.size(), 6_000)
        for who in ("DEPT", "LOG_READER"):
            self.assertProblem(self.add(body, who=who), 403)

    def test_what_was_signed_is_known_after_the_vault_was_killed(self):
        start = self.size()
        self.accepted(start, start + 3)
        self.restart_vault()
        self.assertEqual(self.size(), start + 3)
        self.assertEqual(self.add(self.body(start + 3, start + 9, start)).status, 422)


if __name__ == "__main__":
    unittest.main()

"""The levels above, when they misbehave: down, slow, refusing, answering with a receipt for something else, or not to be
trusted. UP-01, UP-06, UP-07, OPS-01."""
import base64
import hashlib
import json
import os
import pathlib
import signal
import time
import unittest

from tests.support.demo import XINFU, DemoCase, receipt_leaf, run, wait_until
from tests.support.peers import Impostor


class LevelsCase(DemoCase):
    def link(self):
        return next(link for link in self.demo.curl("/v1/status").json["links"] if link["route"] == "province")

    def problem(self):
        """The code of what is wrong with the link to the province."""
        return self.link().get("last_problem", {}).get("code")

    def states(self, id):
        return {a["level"]: a["state"] for a in self.demo.submission(id).json["acknowledgements"]}


class Levels(LevelsCase):
    def test_a_link_that_is_down_loses_nothing_and_says_so(self):
        supervisor_pids = self.demo.pids("PROVINCE")
        frozen = [pid for pids in supervisor_pids.values() for pid in pids]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            ids = [self.demo.submit(self.demo.penalties(1)).id for _ in range(5)]
            time.sleep(2)
            for id in ids:
                self.assertEqual(self.states(id)["province"], "waiting")
            self.assertGreaterEqual(self.link()["backlog"], 5)
        finally:
            for pid in frozen:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        for id in ids:
            self.demo.delivered(id, 60)
        wait_until(lambda: self.link()["backlog"] == 0, 30, 0.5, "an empty backlog")

    def test_sequences_have_no_gap_at_any_level(self):
        ids = [self.demo.submit(self.demo.penalties(1)).id for _ in range(8)]
        for id in ids:
            self.demo.delivered(id, 60)
        link = self.link()
        self.assertEqual(link["delivered"] + 1, link["next_sequence"])


class HostileUpperLevel(LevelsCase):
    def test_refusals_wrong_receipts_and_silence_from_above_never_count_as_delivery(self):
        earlier = self.demo.submit(self.demo.penalties(1))
        view = self.demo.delivered(earlier.id)
        receipts = {a["level"]: a["receipt"].encode() for a in view["acknowledgements"]}
        impostor = Impostor(self.demo)
        real = self.demo["PROVINCE_URL"]
        try:
            self.demo.restart_city(lambda text: text.replace(real, impostor.url))
            answers = [((201, receipts["province"]), "XF-7014"), ((201, b"not a receipt"), "XF-7016"),
                       ((201, receipts["nation"]), "XF-7015"), ((201, earlier.body), "XF-7015"), ((200, b""), "XF-7016"),
                       ((500, b"oops"), "XF-7018"), ((302, b""), "XF-7018")]
            ids = []
            for answer, code in answers:
                impostor.answer, before = lambda path: answer, len(impostor.seen)
                ids.append(self.demo.submit(self.demo.penalties(1)).id)
                wait_until(lambda: len(impostor.seen) > before + 1, 30, 0.1, "the courier's second call")
                wait_until(lambda: self.problem() == code, 10, 0.1, code)
                for id in ids:
                    self.assertNotIn("delivered", self.states(id).values())
            self.demo.restart_city(lambda text: text.replace(impostor.url, real))
            for id in ids:
                self.demo.delivered(id, 90)
        finally:
            impostor.close()


class UntrustedUpperLevel(LevelsCase):
    """The city does not trust what is above it, because of what an operator configured or of what changed there. All of it
    is told, none of it loses anything, and nobody has to send anything again once it is put right."""

    def told(self, command):
        return run(XINFU, *command, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert", self.demo["DEPT_CERT"],
                   "--key", self.demo["DEPT_KEY"], env={**os.environ, "LANG": "C.UTF-8"}).stdout.decode()

    def deliveries(self, level):
        return [leaf for leaf in self.demo.leaves()
                if leaf["action"] == "deliver" and leaf["result"] == "accepted" and leaf["reason"] == level]

    def changed(self, old, new):
        """Starts the city again with `new` where its configuration says `old`."""
        def change(text):
            self.assertIn(old, text)
            return text.replace(old, new)
        self.demo.restart_city(change)

    def other_key(self, log_key):
        """A key that nobody signs with, as that of the same log: C2SP signed-note, "Verifier keys"."""
        name, _, _ = log_key.split("+", 2)
        key, public = self.demo.path(suffix=".key"), self.demo.path(suffix=".der")
        run("openssl", "genpkey", "-algorithm", "ED25519", "-out", key)
        run("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER", "-out", public)
        typed = b"\x01" + public.read_bytes()[-32:]
        key_id = hashlib.sha256(name.encode() + b"\n" + typed).hexdigest()[:8]
        return f"{name}+{key_id}+{base64.b64encode(typed).decode()}"

    def assertWaitsAndIsTold(self, level, code, files):
        """`files` handed in now do not count as delivered by `level`, and `code` tells why, to whoever asks."""
        before, delivered = self.deliveries(level), self.link()["delivered"]
        answers = [self.demo.submit(self.demo.penalties(1)) for _ in range(files)]
        wait_until(lambda: self.problem() == code, 30, 0.1, code)
        time.sleep(2)  # for further tries
        for answer in answers:
            self.assertEqual(answer.status, 201, "files are taken all the same")
            self.assertEqual(self.states(answer.id)[level], "waiting")
        self.assertEqual(self.problem(), code)
        self.assertEqual(self.deliveries(level), before)
        if level == "province":
            self.assertEqual((self.link()["delivered"], self.link()["backlog"]), (delivered, files))
        self.assertIn(f"warning: {code} ", self.told(["status"]))
        links = json.loads(self.told(["sync", "status", "--json"]))
        self.assertEqual([link["last_problem"]["code"] for link in links], [code])
        return answers

    def assertGoesOn(self, answers):
        for answer in answers:
            view = self.demo.delivered(answer.id, 60)
            for acknowledgement in view["acknowledgements"]:
                self.demo.verify_receipt(acknowledgement["receipt"], node=acknowledgement["level"].upper())
        wait_until(lambda: self.link()["backlog"] == 0, 30, 0.2, "an empty backlog")
        self.assertEqual(self.link()["delivered"] + 1, self.link()["next_sequence"])
        self.assertIsNone(self.problem())
        self.assertNotIn("warning", self.told(["status"]))
        origins = [receipt_leaf(answer.text)["object"]["content"] for answer in answers]
        for node in ("PROVINCE", "NATION"):
            taken = [leaf["origin"]["digest"] for leaf in self.demo.leaves(node)
                     if leaf["action"] == "submit" and leaf["result"] == "accepted"]
            self.assertEqual([taken.count(origin) for origin in origins], [1] * len(answers), f"once at the {node}")

    def test_another_log_key_than_the_province_has(self):
        right = self.demo["PROVINCE_LOG_KEY"]
        wrong = self.other_key(right)
        self.changed(right, wrong)
        answers = self.assertWaitsAndIsTold("province", "XF-7015", 5)
        self.changed(wrong, right)
        self.assertGoesOn(answers)

    def test_another_log_key_than_the_nation_has(self):
        right = self.demo["NATION_LOG_KEY"]
        wrong = self.other_key(right)
        self.changed(right, wrong)
        answers = self.assertWaitsAndIsTold("nation", "XF-7015", 1)
        self.assertEqual(self.states(answers[0].id)["province"], "delivered")
        self.changed(wrong, right)
        self.assertGoesOn(answers)

    def test_a_server_certificate_of_another_authority(self):
        """XF-7011: who does not prove to be the province is not spoken with."""
        run(XINFU, "ca", "init", "--dir", self.demo.home / "other-ca", "--name", "another authority")
        anchors = pathlib.Path(self.demo["CITY_STATE"]) / "certificates" / "route-province.pem"
        right = anchors.read_bytes()
        self.demo.restart_city(meanwhile=lambda: anchors.write_bytes((self.demo.home / "other-ca" / "ca.pem").read_bytes()))
        answers = self.assertWaitsAndIsTold("province", "XF-7011", 2)
        self.assertEqual(self.link()["state"], "unreachable")
        self.demo.restart_city(meanwhile=lambda: anchors.write_bytes(right))
        self.assertGoesOn(answers)


if __name__ == "__main__":
    unittest.main()

"""The levels above, when they misbehave: down, slow, refusing, answering with a receipt for something else.
UP-01, UP-06, UP-07, OPS-01."""
import os
import signal
import time
import unittest

from tests.support.demo import DemoCase, wait_until
from tests.support.peers import Impostor


class Levels(DemoCase):
    def link(self):
        status = self.demo.as_person("SYSTEM_ADMIN", "/v1/status").json
        return next(l for l in status["links"] if l["route"] == "province")

    def test_a_link_that_is_down_loses_nothing_and_says_so(self):
        supervisor_pids = self.demo.pids("PROVINCE")
        frozen = [pid for pids in supervisor_pids.values() for pid in pids]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            ids = [self.demo.submit(self.demo.penalties(1)).id for _ in range(5)]
            time.sleep(2)
            for id in ids:
                levels = {a["level"]: a["state"] for a in self.demo.submission(id).json["acknowledgements"]}
                self.assertEqual(levels["province"], "waiting")
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


class HostileUpperLevel(DemoCase):
    def test_refusals_wrong_receipts_and_silence_from_above_never_count_as_delivery(self):
        earlier = self.demo.submit(self.demo.penalties(1))
        view = self.demo.delivered(earlier.id)
        receipt = next(a["receipt"] for a in view["acknowledgements"] if a["level"] == "province")
        impostor = Impostor(self.demo)
        real = self.demo["PROVINCE_URL"]
        try:
            self.demo.restart_city(lambda text: text.replace(real, impostor.url))
            answers = [lambda path: (201, receipt.encode()), lambda path: (201, b"not a receipt"),
                       lambda path: (200, b""), lambda path: (500, b"oops"), lambda path: (302, b"")]
            ids = []
            for answer in answers:
                impostor.answer, before = answer, len(impostor.seen)
                ids.append(self.demo.submit(self.demo.penalties(1)).id)
                wait_until(lambda: len(impostor.seen) > before, 30, 0.1, "the courier's call")
                time.sleep(0.5)
                for id in ids:
                    states = {a["level"]: a["state"] for a in self.demo.submission(id).json["acknowledgements"]}
                    self.assertNotIn("delivered", states.values())
            self.demo.restart_city(lambda text: text.replace(impostor.url, real))
            for id in ids:
                self.demo.delivered(id, 90)
        finally:
            impostor.close()


if __name__ == "__main__":
    unittest.main()

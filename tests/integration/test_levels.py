"""The levels above, when they misbehave: down, slow, refusing, answering with a receipt for something else.
UP-01, UP-06, UP-07, OPS-01."""
import os
import signal
import time
import unittest

from tests.support.demo import DemoCase, wait_until


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


if __name__ == "__main__":
    unittest.main()

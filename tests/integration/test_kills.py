"""Processes die while files flow: no acknowledged submission is lost or doubled, none is half visible, every
receipt verifies, and nobody sees worse than a retryable error. BAK-04, AUD-03, UP-01. XINFU_KILL_ROUNDS sets how many."""
import os
import random
import time
import unittest

from tests.support.demo import wait_until
from tests.support.senders import Senders, SendersCase

ROUNDS = int(os.environ.get("XINFU_KILL_ROUNDS", "25"))


class Kills(SendersCase):
    def test_nothing_acknowledged_is_lost_whatever_dies(self):
        chosen = random.Random(20261122)
        with Senders(self.demo) as senders:
            for round_number in range(ROUNDS):
                time.sleep(chosen.uniform(0.2, 1.0))
                node = chosen.choice(["CITY", "CITY", "PROVINCE", "NATION"])
                role = chosen.choice(["vault", "gateway", "inspector", "courier"])
                before = self.demo.kill(role, node)
                if role != "inspector" and before:
                    wait_until(lambda: set(self.demo.pids(node).get(role, ())) - set(before), 5, 0.05,
                               f"restart of {node} {role} in round {round_number}")
        self.assertGreater(len(senders.promises), ROUNDS // 2)
        self.assertKept(senders)
        print(f"{ROUNDS} kills, {len(senders.promises)} files acknowledged")

    def test_a_client_that_vanishes_mid_body_leaves_nothing(self):
        row = self.demo.row()
        rows = [row] + [self.demo.row(CF_SY="事实" * 500) for _ in range(2000)]
        file = self.demo.sign(self.demo.csv(rows))
        answer = self.demo.put(file, "vanish.p7m", options=["--limit-rate", "500k"], timeout=2)
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(self.demo.query(row["CF_XDR_SHXYM"]).json["records"], [])
        self.assertEqual(self.demo.put(file, "vanish.p7m").status, 201)
        self.assertEqual(len(self.demo.query(row["CF_XDR_SHXYM"]).json["records"]), 1)


if __name__ == "__main__":
    unittest.main()

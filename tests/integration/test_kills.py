"""Processes die while files flow: no acknowledged submission is lost or doubled, none is half visible, every
receipt verifies, and nobody sees worse than a retryable error. BAK-04, AUD-03, UP-01. XINFU_KILL_ROUNDS sets how many."""
import os
import random
import threading
import time
import unittest

from tests.support.demo import DemoCase, receipt_index, wait_until

ROUNDS = int(os.environ.get("XINFU_KILL_ROUNDS", "25"))


class Kills(DemoCase):
    def test_nothing_acknowledged_is_lost_whatever_dies(self):
        chosen = random.Random(20261122)
        stop = threading.Event()
        acknowledged, unexpected = [], []
        lock = threading.Lock()

        def sender(number):
            serial = 0
            while not stop.is_set():
                serial += 1
                with lock:
                    rows = [self.demo.row() for _ in range(2 if number else 40)]
                    file = self.demo.sign(self.demo.csv(rows))
                name = f"kill-{number}-{serial}.p7m"
                for _ in range(200):
                    answer = self.demo.put(file, name, timeout=20)
                    if answer.status in (200, 201):
                        with lock:
                            acknowledged.append((name, file, answer.text, answer.id if "location" in answer.headers
                                                 else None, rows[0]["CF_XDR_SHXYM"]))
                        break
                    if answer.status not in (0, 503, 429, 408):
                        unexpected.append((name, answer))
                        return
                    time.sleep(0.2)
                else:
                    unexpected.append((name, "never accepted"))
                    return

        senders = [threading.Thread(target=sender, args=(n,)) for n in range(3)]
        for thread in senders:
            thread.start()
        try:
            for round_number in range(ROUNDS):
                time.sleep(chosen.uniform(0.2, 1.0))
                node = chosen.choice(["CITY", "CITY", "PROVINCE", "NATION"])
                role = chosen.choice(["vault", "gateway", "inspector", "courier"])
                before = self.demo.kill(role, node)
                if role != "inspector" and before:
                    wait_until(lambda: set(self.demo.pids(node).get(role, ())) - set(before), 5, 0.05,
                               f"restart of {node} {role} in round {round_number}")
        finally:
            stop.set()
            for thread in senders:
                thread.join(120)
        self.assertFalse(unexpected, unexpected[:3])
        self.assertGreater(len(acknowledged), ROUNDS // 2)

        seen = {}
        token = None
        for name, file, receipt, id, subject in acknowledged:
            with self.subTest(name=name):
                self.demo.verify_receipt(receipt, file)
                again = self.demo.put(file, name)
                self.assertEqual(again.status, 200, again)
                self.assertEqual(receipt_index(again.text), receipt_index(receipt))
                self.assertNotIn(receipt_index(receipt), seen)
                seen[receipt_index(receipt)] = name
        token = self.demo.session("VIEWER")
        for name, file, receipt, id, subject in acknowledged[:: max(1, len(acknowledged) // 40)]:
            self.assertEqual(len(self.demo.query(subject, token=token).json["records"]), 1, name)
        for node in ("CITY", "PROVINCE", "NATION"):
            self.demo.log_verify(node)
        for name, file, receipt, id, subject in acknowledged:
            if id:
                self.demo.delivered(id, 60)
        leaves = self.demo.leaves()
        accepted = [leaf["object"]["id"] for leaf in leaves if leaf["action"] == "submit" and leaf["result"] == "accepted"]
        self.assertEqual(len(accepted), len(set(accepted)))
        for node in ("PROVINCE", "NATION"):
            upper = [leaf["origin"]["index"] for leaf in self.demo.leaves(node)
                     if leaf["action"] == "submit" and leaf["result"] == "accepted"]
            self.assertEqual(sorted(upper), sorted(set(upper)), node)
            self.assertEqual(set(upper) & set(seen), set(seen), node)

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

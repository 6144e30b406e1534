"""A call to the disk that fails: an open, a write, a sync, a change of names. Nothing is released that a sync should have
covered, and whatever failed, no acknowledged file is lost. BAK-04, OPS-02."""
import errno
import random
import unittest

from tests.support.demo import receipt_index, wait_until
from tests.support.faulty_disk import FaultyCase
from tests.support.senders import Senders

ROUNDS = 8


class FailingDisk(FaultyCase):
    def vaults(self):
        return self.demo.pids().get("vault")

    def test_a_failed_sync_stops_the_vault_before_anything_is_released(self):
        for number, fault in enumerate(("failed", "stored") * 2):
            self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)
            file, vaults = self.demo.sign(self.demo.penalties(1)), wait_until(self.vaults)
            self.demo.plan("sync", 1, fault, errno.EIO)
            first = self.demo.put(file, f"{number}.p7m", timeout=60)
            wait_until(lambda: self.vaults() not in (None, vaults), 60, what="another vault")
            again = wait_until(lambda: self.once(self.demo.put(file, f"{number}.p7m")), 60, what="an answer")
            if first.status == 201:  # then it was the sync of a reading or a delivery that failed
                self.assertEqual((again.status, receipt_index(again.text)), (200, receipt_index(first.text)))
            else:
                if first.exit_code != 35:  # that one's handshake began just before another's sync failed: nobody signed it
                    self.assertProblem(first, 503, "XF-6003")
                self.assertEqual(again.status, 201, "the batch whose sync failed is not there")
            self.demo.verify_receipt(again.body, file)
        told = "\n".join(self.told())
        for line in ("the disk failed: the store: Input/output error", "a commit failed"):
            self.assertEqual(told.count(line), 4, told)
        self.demo.log_verify()

    def test_whoever_looks_after_the_node_is_told_what_failed(self):
        file = self.demo.sign(self.demo.penalties(400))
        self.demo.plan("name", 1, "failed", errno.EIO)
        self.assertProblem(self.demo.put(file), 500, "XF-9001")
        self.assertRegex("\n".join(self.told()), "the disk failed: (object [0-9a-f]{32}|folder 01): Input/output error")
        self.demo.delivered(self.demo.put(file).id)

    def told(self):
        return [line for line in (self.demo.dir / "city" / "xinfud.log").read_text().splitlines() if " error: " in line]

    @staticmethod
    def once(answer):
        return answer if answer.status in (200, 201) else None

    def test_whatever_fails_once_costs_some_requests_and_no_receipt(self):
        chosen = random.Random(20261122)
        with Senders(self.demo, (400, 2, 2), (0, 408, 429, 500, 503, 507)) as senders:
            for number in range(ROUNDS):
                node = chosen.choice(("CITY", "CITY", "PROVINCE", "NATION"))
                call, last = chosen.choice((("sync", 6), ("write", 20), ("open", 2), ("name", 2)))
                fault, error = chosen.choice((("failed", "EIO"), ("stored", "EIO"), ("torn", "EIO"), ("failed", "ENOSPC")))
                self.demo.plan(call, chosen.randint(1, last), fault, getattr(errno, error), node)
                wait_until(lambda: self.demo.fired(node), 120, 0.05, f"{node}'s {call}")
        self.assertKept(senders)


if __name__ == "__main__":
    unittest.main()

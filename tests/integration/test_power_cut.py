"""The power of a node goes while files flow, and with it whatever was not synced: all of it, or every second change. What
anybody held as evidence still holds: receipts, checkpoints, acknowledgements of the levels above. BAK-04, AUD-03, UP-01.
XINFU_POWER_CUT_ROUNDS sets how many."""
import os
import random
import threading
import unittest

from tests.support.demo import wait_until
from tests.support.faulty_disk import FaultyCase
from tests.support.senders import Senders, Uploaders

ROUNDS = int(os.environ.get("XINFU_POWER_CUT_ROUNDS", "6"))
NODES = ("CITY", "PROVINCE", "NATION")


class Readers:
    """Ask each node for its checkpoint again and again."""

    def __init__(self, demo):
        self.demo, self.stop, self.last = demo, threading.Event(), {}
        self.threads = [threading.Thread(target=self.read, args=(node,)) for node in NODES]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(120)

    def read(self, node):
        while not self.stop.wait(0.2):
            self.last[node] = self.demo.checkpoint(node) or self.last.get(node)


class PowerCut(FaultyCase):
    def cut(self, node, readers, meanwhile=lambda: None, calls=(("any", 60), ("write", 20), ("sync", 6))):
        """At a call chosen by chance. Answers how many changes were not synced, and the checkpoint a reader holds."""
        call, last = self.chosen.choice(calls)
        self.demo.plan(call, self.chosen.randint(1, last), "power_cut", node=node)
        meanwhile()
        wait_until(lambda: self.demo.fired(node), 120, 0.01, f"{node}'s last {call}")
        held = readers.last.get(node)
        return self.demo.cut_power(node, self.chosen.choice(("everything", "everything", "even", "odd"))), node, held

    def test_nothing_that_anybody_holds_is_lost(self):
        self.chosen, cuts = random.Random(20261122), []
        with Senders(self.demo, (400, 2, 2)) as senders, Uploaders(self.demo, (400,)) as uploaders, Readers(self.demo) as readers:
            for _ in range(ROUNDS):
                node = self.chosen.choice(("CITY", *NODES))
                cuts.append(self.cut(node, readers))
                if self.chosen.random() < 1 / 3:  # and again while it comes back
                    cuts.append(self.cut(node, readers, lambda: self.demo.start(node), (("any", 25), ("write", 8), ("sync", 2))))
                self.demo.start(node)
                self.demo.await_return(node)
        bad = sum(unsynced > 0 for unsynced, *_ in cuts)
        self.assertGreater(bad, 0, "the power never went at a bad moment")
        self.assertKept(senders, uploaders)
        for _, node, checkpoint in cuts:
            if checkpoint:
                self.demo.log_verify(node, since=checkpoint)
        print(f"{len(cuts)} power cuts, {bad} at a bad moment, {len(senders.promises)} files and "
              f"{len(uploaders.promises)} uploads acknowledged")


class LyingDisk(FaultyCase):
    """That the power can go and the suite above would see what it took."""

    def test_what_a_disk_said_it_had_synced_is_missed(self):
        self.demo.plan("any", 1, "lying_syncs")
        with Senders(self.demo) as senders:
            wait_until(lambda: len(senders.promises) >= 3, 60, what="some receipts")
        self.assertGreater(self.demo.cut_power("CITY", "everything"), 0)
        self.demo.start("CITY")
        self.demo.await_return("CITY")
        with self.assertRaisesRegex(AssertionError, "201 != 200"):
            self.assertKept(senders)


if __name__ == "__main__":
    unittest.main()

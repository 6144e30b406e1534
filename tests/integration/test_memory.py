"""Processes get no memory beyond what they have, while files flow: it costs time, and nothing that was acknowledged. A process
that cannot go on ends and is started again; the system's own way to make room, to kill it, is in test_kills. BAK-04, OPS-02."""
import contextlib
import os
import pathlib
import random
import re
import time
import unittest

from tests.support.demo import is_running, run, wait_until
from tests.support.senders import Senders, SendersCase

ROUNDS = int(os.environ.get("XINFU_MEMORY_ROUNDS", "12"))
NOTHING_MORE = 1 << 20  # octets of addresses: less than any of them has already


@unittest.skipIf(os.environ.get("XINFU_SANITIZED"), "a sanitizer needs addresses without end")
class NoMemory(SendersCase):
    def limit(self, pid, addresses, data):
        """As the user it runs as: of other users' processes even root may not set limits everywhere."""
        try:
            uid, gid = (re.search(rf"^{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)
                        for name in ("Uid", "Gid"))
        except FileNotFoundError:
            return
        done = run("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "prlimit", f"--pid={pid}", f"--as={addresses}:",
                   f"--data={data}:", check=False)
        self.assertTrue(done.returncode == 0 or not is_running(pid), done.stderr)

    def starve(self, node, role):
        """Answers which of its processes were starved, each with the limits it had."""
        starved = {}
        for pid in self.demo.pids(node).get(role, []):
            with contextlib.suppress(FileNotFoundError):
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                starved[pid] = [re.search(rf"^{name}\s+(\S+)", limits, re.M).group(1) for name in ("Max address space", "Max data size")]
                self.limit(pid, NOTHING_MORE, NOTHING_MORE)
        return starved

    def feed(self, starved):
        for pid, limits in starved.items():
            self.limit(pid, *limits)

    def test_what_was_acknowledged_is_kept_by_processes_that_get_no_memory(self):
        chosen, ended = random.Random(20261123), 0
        with Senders(self.demo, (400, 40, 2)) as senders:
            for _ in range(ROUNDS):
                time.sleep(chosen.uniform(0.2, 0.6))
                node, role = chosen.choice(("CITY", "CITY", "PROVINCE")), chosen.choice(("vault", "gateway", "inspector", "courier"))
                starved = self.starve(node, role)
                time.sleep(chosen.uniform(0.5, 1.5))
                self.feed(starved)
                ended += any(not is_running(pid) for pid in starved if role != "inspector")
                if role != "inspector":
                    wait_until(lambda: self.demo.pids(node).get(role), 20, 0.05, f"{node}'s {role}")
        self.assertGreater(len(senders.promises), ROUNDS // 2)
        self.assertKept(senders)
        print(f"{ROUNDS} times without memory, {ended} processes ended of it, {len(senders.promises)} files acknowledged")

    def test_a_file_too_large_for_the_memory_there_is_is_no_loss(self):
        """The vault and the inspectors that read it get nothing more than they have when it comes."""
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        starved = self.starve("CITY", "vault") | self.starve("CITY", "inspector")
        rows = [self.demo.row(CF_SY="事实" * 500) for _ in range(5000)]
        file = self.demo.sign(self.demo.csv(rows))
        first = self.demo.put(file, "large.p7m", timeout=60)
        self.assertIn(first.status, (0, 201, 503), first)
        self.feed(starved)
        answer = wait_until(lambda: next((answer for answer in [self.demo.put(file, "large.p7m", timeout=60)]
                                          if answer.status in (200, 201)), None), 60, 0.5, "its acceptance")
        self.demo.verify_receipt(answer.body, file)
        self.assertEqual(len(self.demo.query(rows[0]["CF_XDR_SHXYM"]).json["records"]), 1)
        self.demo.log_verify()


if __name__ == "__main__":
    unittest.main()

"""The committed units on a real Debian 12 with systemd as its first process. OPS-01, OPS-02, BAK-04."""
import hashlib
import re
import threading
import time
import unittest

from tests.support.records import penalties
from tests.systemd.machine import UNIT, XINFU, Machine, run, wait_until

UNITS = ("xinfu-gateway", "xinfu-vault", "xinfu-courier")


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.machine.destroy)
        cls.machine.boot()
        cls.number = 0

    def file(self, count=3):
        Node.number += 1
        return self.machine.sign(penalties(count, UNIT, first=Node.number * 1000))

    def hand_in(self):
        file = self.file()
        status, receipt, _ = self.machine.put(file, file.name)
        self.assertEqual(status, 201, receipt)
        return file, receipt

    def verify(self, file, receipt):
        path = self.machine.home / "receipt"
        path.write_bytes(receipt)
        run(XINFU, "receipt", "verify", path, "--file", file, "--log-key", self.machine.log_key)

    def test_every_unit_is_up_and_says_so(self):
        for unit in UNITS:
            self.assertEqual(self.machine.property(unit, "ActiveState"), "active", unit)
            wait_until(lambda: self.machine.property(unit, "StatusText"), what=f"a STATUS line of {unit}")
            self.assertNotEqual(self.machine.property(unit, "WatchdogUSec"), "0", unit)
        self.assertRegex(self.machine.property("xinfu-vault", "StatusText"), r"^ready, \d+ log entries")

    def test_a_file_gets_a_receipt_that_verifies_and_the_journal_names_its_leaf(self):
        file, receipt = self.hand_in()
        self.verify(file, receipt)
        index = re.search(rb"^index (\d+)$", receipt, re.M).group(1).decode()
        message_id = hashlib.sha256(b"xinfu/event/submit").hexdigest()[:32]
        told = wait_until(lambda: self.machine.journal(f"XINFU_LEAF={index}", f"MESSAGE_ID={message_id}"),
                          what="the journal's record")
        self.assertEqual(told[0]["_SYSTEMD_UNIT"], "xinfu-vault.service")
        self.assertEqual(told[0]["XINFU_PRINCIPAL"], "m-0001")
        self.assertIn("XINFU_SUBMISSION", told[0])

    def test_each_process_has_its_own_user_no_capability_and_its_walls(self):
        users = set()
        for unit in UNITS:
            pid = self.machine.property(unit, "MainPID")
            status = self.machine.inside("cat", f"/proc/{pid}/status").stdout
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            users.add(fields["Uid"].split()[0])
            self.assertEqual(fields["CapEff"], "0" * 16, unit)
            self.assertEqual(fields["NoNewPrivs"], "1", unit)
            self.assertEqual(fields["Seccomp"], "2", unit)
            self.assertGreater(int(fields["Seccomp_filters"]), 1, f"{unit}: systemd's filter and its own")
        self.assertEqual(len(users), 3)
        self.assertNotIn("0", users)

    def test_a_killed_process_is_back_at_once_and_no_client_notices(self):
        """Connections wait in the sockets that systemd holds; what was handed in is neither lost nor doubled."""
        for unit in UNITS:
            file, receipt = self.hand_in()
            before = self.machine.property(unit, "MainPID")
            self.machine.inside("kill", "-9", before)
            answers = []
            deadline = time.monotonic() + 20
            while not answers or (answers[-1][0] != 200 and time.monotonic() < deadline):
                answers.append(self.machine.put(file, file.name))
            self.assertEqual(answers[-1][0], 200, (unit, answers))
            self.assertTrue(all(status in (0, 200, 503) for status, _, _ in answers), (unit, answers))
            index = re.search(rb"^index .*$", receipt, re.M).group()
            self.assertIn(index, answers[-1][1])
            wait_until(lambda: self.machine.property(unit, "MainPID") not in ("0", before), what=f"{unit}'s return")

    def test_a_hung_process_is_replaced_by_the_watchdog(self):
        self.machine.inside("mkdir", "-p", "/run/systemd/system/xinfu-gateway.service.d")
        self.machine.inside("tee", "/run/systemd/system/xinfu-gateway.service.d/watchdog.conf", input="[Service]\nWatchdogSec=2s\n")
        self.machine.inside("systemctl", "daemon-reload")
        self.machine.inside("systemctl", "restart", "xinfu-gateway")
        hung = self.machine.property("xinfu-gateway", "MainPID")
        self.machine.inside("kill", "-STOP", hung)
        wait_until(lambda: self.machine.property("xinfu-gateway", "MainPID") not in ("0", hung), what="another gateway")
        self.hand_in()

    def test_a_power_cut_loses_nothing_acknowledged(self):
        kept, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                file = self.file(1)
                try:
                    status, receipt, _ = self.machine.put(file, file.name)
                except Exception:
                    return  # the machine is gone
                if status == 201:
                    kept.append((file, receipt))
        sender = threading.Thread(target=load)
        sender.start()
        wait_until(lambda: len(kept) >= 5, what="some receipts")
        self.machine.power_cut()
        stop.set()
        sender.join(60)
        self.machine.boot()
        for file, receipt in kept:
            self.verify(file, receipt)
            status, again, _ = self.machine.put(file, file.name)
            self.assertEqual(status, 200, again)
            self.assertEqual(re.search(rb"^index .*$", receipt, re.M).group(), re.search(rb"^index .*$", again, re.M).group())

    def test_stopping_the_target_drains_and_starting_it_goes_on(self):
        file, receipt = self.hand_in()
        self.machine.inside("systemctl", "stop", "xinfu.target")
        for unit in UNITS:
            self.assertEqual(self.machine.property(unit, "ActiveState"), "inactive", unit)
            self.assertEqual(self.machine.property(unit, "Result"), "success", unit)
        self.machine.inside("systemctl", "start", "xinfu.target")
        status, _, _ = self.machine.put(file, file.name)
        self.assertEqual(status, 200)

    def test_the_units_stay_within_their_exposure(self):
        """What systemd itself says of each unit's sandbox. Figures are the tenths its offline analysis prints."""
        limits = {"xinfu-gateway": 0.8, "xinfu-inspector@": 0.6, "xinfu-vault": 0.6, "xinfu-courier": 1.5}
        for unit, limit in limits.items():
            done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                       f"{self.machine.tree}/usr/lib/systemd/system/{unit}.service", check=False)
            level = float(re.search(r"exposure level for .*?: ([0-9.]+)", done.stdout).group(1))
            self.assertLessEqual(level, limit, unit)


if __name__ == "__main__":
    unittest.main()

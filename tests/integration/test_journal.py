"""Whoever reads what the processes say stops reading, goes away and comes back: the work goes on meanwhile. OPS-02."""
import contextlib
import fcntl
import os
import signal
import socket
import sys
import unittest

from tests.support.demo import DemoCase, run, wait_until

# Standard error becomes the journal's stream, as systemd.exec(5) says it, with the least buffer a socket can have.
SPEAK_TO_THE_JOURNAL = """
import os, socket, sys
stream = socket.socket(socket.AF_UNIX)
stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
stream.connect(sys.argv[1])
os.dup2(stream.fileno(), 2)
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
os.execv(sys.argv[2], sys.argv[2:])
"""
OWN_RUN = 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"'


class Unread(DemoCase):
    def assertWorkGoesOn(self, files):
        """All that matters of `files` acts, each of which is told several times."""
        before = {role: pids for role, pids in self.demo.pids().items() if role != "inspector"}
        for _ in range(files):
            answer = self.demo.submit(self.demo.penalties(1))
            self.assertEqual(answer.status, 201, answer)
        self.demo.delivered(answer.id)
        self.assertEqual({role: pids for role, pids in self.demo.pids().items() if role != "inspector"}, before)


class StandardError(Unread):
    def setUp(self):
        self.pipe = self.demo.path(suffix=".pipe")
        os.mkfifo(self.pipe)
        self.reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.reader, fcntl.F_SETPIPE_SZ, 4096)
        self.demo.restart_city(prefix=("sh", "-c", f'exec "$0" "$@" 2>{self.pipe}'))

    def tearDown(self):
        self.demo.restart_city()

    def read(self):
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, 65536).decode(errors="replace")
        return ""

    def test_nobody_reads(self):
        self.assertWorkGoesOn(30)
        self.assertIn("xinfu-vault: ", self.read())
        self.demo.submit(self.demo.penalties(1))
        # Told with the next record, which is written beside the answer, not before it.
        wait_until(lambda: "records are lost" in self.read(), 10, 0.1, "word of what was lost")
        os.close(self.reader)

    def test_the_reader_goes_away(self):
        os.close(self.reader)
        self.assertWorkGoesOn(3)
        for role in ("vault", "courier", "gateway"):
            before = self.demo.kill(role)
            wait_until(lambda: set(self.demo.pids().get(role, ())) - set(before), 10, 0.1, f"the {role}'s return")
        wait_until(lambda: self.demo.submit(self.demo.penalties(1)).status == 201, 20, 0.2, "work again")


class Journal(Unread):
    @classmethod
    def setUpClass(cls):
        if run("unshare", "--mount", "true", check=False).returncode != 0:
            raise unittest.SkipTest("no mount namespace can be made here")
        super().setUpClass()
        cls.place = cls.demo.home / "journal"
        cls.place.mkdir(mode=0o755)

    def open(self):
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.journal.bind(str(self.place / "socket"))
        (self.place / "socket").chmod(0o666)
        self.journal.setblocking(False)
        self.addCleanup(self.journal.close)

    def records(self):
        """What waits in the journal's socket, each as its fields."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(dict(line.split("=", 1) for line in self.journal.recv(65536).decode().splitlines()))
        return found

    def assertTold(self, answer):
        told = wait_until(lambda: [record for record in self.records() if record.get("XINFU_SUBMISSION") == answer.id
                                   and record["MESSAGE"].startswith("submit")], 10, what="the record of the submission")[0]
        self.assertEqual(told["SYSLOG_IDENTIFIER"], "xinfu-vault")
        self.assertRegex(told["XINFU_LEAF"], r"^\d+$")
        self.assertRegex(told["MESSAGE_ID"], r"^[0-9a-f]{32}$")

    def test_a_journal_that_is_full_and_goes_and_comes_back(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.demo.work / "stream"))
        listener.listen()
        self.open()
        self.demo.restart_city(prefix=("unshare", "--mount", "sh", "-c", OWN_RUN, self.place, sys.executable, "-c",
                                       SPEAK_TO_THE_JOURNAL, self.demo.work / "stream"))
        self.addCleanup(self.demo.restart_city)
        stream = listener.accept()[0]
        with self.subTest("read"):
            self.records()
            self.assertTold(self.demo.submit(self.demo.penalties(1)))
        with self.subTest("not read"):
            # The queue of a datagram socket, and the stream's buffer, are soon full.
            self.assertWorkGoesOn(60)
        with self.subTest("read again"):
            self.records()
            self.demo.submit(self.demo.penalties(1))
            wait_until(lambda: any("records are lost" in record["MESSAGE"] for record in self.records()), 10,
                       what="the number of those that are lost")
            self.assertTold(self.demo.submit(self.demo.penalties(1)))
        with self.subTest("gone"):
            self.journal.close()
            (self.place / "socket").unlink()
            stream.close()
            self.assertWorkGoesOn(5)
        with self.subTest("back"):
            self.open()
            vault = self.demo.pids()["vault"][0]
            os.kill(vault, signal.SIGKILL)
            wait_until(lambda: self.demo.pids().get("vault", [vault])[0] != vault, 10, 0.1, "the vault's return")
            self.assertTold(wait_until(lambda: self.taken(), 10, 0.2, "work again"))

    def taken(self):
        self.records()
        answer = self.demo.submit(self.demo.penalties(1))
        return answer if answer.status == 201 else None


if __name__ == "__main__":
    unittest.main()

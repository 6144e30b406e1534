"""The city's clock is set wrong while files come in, forth and back by a day and by ten years: files go on, nothing is dated
wrong that stays, it is told, and everything goes on by itself once the clock is right. EVI-05, OPS-02."""
import datetime
import json
import pathlib
import shutil
import struct
import tempfile
import threading
import time
import unittest

from tests.support.demo import BIN, DemoCase, run, wait_until
from tests.support.preload import preload

HERE = pathlib.Path(__file__).resolve().parents[1] / "support"
DAY, TEN_YEARS = 86400, 3653 * 86400


class OwnClock(DemoCase):
    """The city's processes read a clock that set() sets; the tests, and the levels above, keep the machine's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            # Not in the demo's own directory, which the processes' users cannot enter.
            cls.programs = pathlib.Path(tempfile.mkdtemp(prefix="xinfu-clock-"))
            cls.addClassCleanup(shutil.rmtree, cls.programs)
            cls.wall = cls.up = 0
            cls.write()
            library = cls.demo.path(suffix=".so")
            run("cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", HERE / "stepped_clock.c", "-o", library)
            preload(BIN, cls.programs, library, into=("gateway", "inspector", "vault", "courier"))
            cls.demo.programs = cls.programs
            cls.demo.restart_city()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def write(cls):
        offsets = cls.programs / "offsets"
        with open(offsets, "r+b" if offsets.exists() else "wb") as file:
            file.write(struct.pack("qq", cls.wall, cls.up))
        offsets.chmod(0o644)

    def set(self, wrong):
        """The clock is so many seconds ahead of the right time."""
        type(self).wall = self.up + wrong
        self.write()

    def pass_time(self, minutes):
        type(self).wall += minutes * 60
        type(self).up += minutes * 60
        self.write()

    def is_alarmed(self):
        return "XF-9004" in [warning["code"] for warning in self.demo.curl("/v1/status").json["warnings"]]

    def journal(self):
        return (self.demo.dir / "city" / "restarted.log").read_text()

    def steps(self):
        return [(leaf["result"], leaf["reason"]) for leaf in self.demo.leaves() if leaf["action"] == "clock_step"]

    def assertTimesNeverGoBack(self):
        times = [leaf["time"] for leaf in self.demo.leaves()]
        self.assertEqual(times, sorted(times))
        return times


class SetAndSetRight(OwnClock):
    def test_steps_forth_and_back_while_files_come(self):
        began = datetime.datetime.now(datetime.timezone.utc)
        token, pids = self.demo.session("VIEWER"), self.demo.pids()
        row, stop, answers, lock = self.demo.row(), threading.Event(), [], threading.Lock()
        self.assertEqual(self.demo.submit(self.demo.csv([row])).status, 201)

        def send():
            while not stop.is_set():
                with lock:
                    file = self.demo.sign(self.demo.penalties(2))
                answers.append((file, self.demo.put(file)))
        senders = [threading.Thread(target=send) for _ in range(2)]
        for sender in senders:
            sender.start()
        try:
            for wrong in (DAY, -DAY, TEN_YEARS, -TEN_YEARS):
                with self.subTest(wrong=wrong):
                    self.set(wrong)
                    wait_until(self.is_alarmed, 10, 0.2, "a warning")
                    so_far = len(answers)
                    wait_until(lambda: len(answers) >= so_far + 4, 30, 0.1, "files under a wrong clock")
                    self.assertEqual(self.demo.query(row["CF_XDR_SHXYM"], token=token).status, 200, "the session goes on")
                    self.set(0)
                    wait_until(lambda: not self.is_alarmed(), 10, 0.2, "an end of the warning")
                    wait_until(lambda: [result for result, _ in self.steps()][-1:] == ["refused"], 10, 0.2, "its leaf")
        finally:
            self.set(0)
            stop.set()
            for sender in senders:
                sender.join()
        for file, answer in answers:
            self.assertEqual(answer.status, 201, answer)
        for file, answer in answers[::5]:
            self.demo.verify_receipt(answer.body, file)
            self.demo.delivered(answer.id)
        self.assertEqual({role: pid for role, pid in self.demo.pids().items() if role != "inspector"},
                         {role: pid for role, pid in pids.items() if role != "inspector"}, "nothing was restarted")
        self.demo.log_verify()
        times = [datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) for text in self.assertTimesNeverGoBack()]
        later = [moment for moment in times if moment > began]
        self.assertGreater(len(later), len(answers))
        self.assertLess(later[-1], datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2))
        self.assertEqual([(result, int(reason.split()[0]) // 3600) for result, reason in self.steps()],
                         [(result, hours) for hours in (24, -24, 24 * 3653, -24 * 3653) for result in ("pending", "refused")])
        self.assertIn("clock_step pending XF-9004 +86400 s", self.journal())


class WrongForLong(OwnClock):
    def test_what_is_wrong_for_a_quarter_of_an_hour_is_believed_and_mended_the_same_way(self):
        kept, token = self.demo.submit(self.demo.penalties(1)), self.demo.session("VIEWER")
        self.set(TEN_YEARS)
        wait_until(self.is_alarmed, 10, 0.2, "a warning")
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201, "it is not believed yet")
        self.pass_time(16)
        wait_until(lambda: self.demo.curl("/v1/status").status == 401, 10, 0.2, "that the certificates are out of date")
        self.assertProblem(self.demo.submit(self.demo.penalties(1)), 401, "XF-1002")

        self.set(0)
        wait_until(lambda: "clock_step pending XF-9004 -" in self.journal(), 10, 0.2, "a step back")
        self.pass_time(16)
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 10, 0.2, "the right time again")
        file = self.demo.sign(self.demo.penalties(1))
        answer = self.demo.put(file)
        self.assertEqual(answer.status, 201, answer)
        self.demo.verify_receipt(answer.body, file)
        self.demo.verify_receipt(kept.body)
        self.demo.delivered(answer.id)
        self.demo.log_verify()
        self.assertTrue(self.is_alarmed(), "the log's time has come to ten years from now, and stands still")
        self.assertGreater(self.assertTimesNeverGoBack()[-1], str(datetime.date.today().year + 9))
        wait_until(lambda: "clock_behind" in [leaf["action"] for leaf in self.demo.leaves()], 10, 0.2, "its leaf")
        answer = self.demo.query(self.demo.row()["CF_XDR_SHXYM"], token=token)
        self.assertProblem(answer, 401, "XF-1006")

        # Whoever guesses is locked out for half an hour, and not for ten years.
        for _ in range(5):
            self.demo.curl("/v1/session", "--json", '{"password": "wrong wrong"}', who="SECURITY_ADMIN")
        locked = self.demo.curl("/v1/session", "--json", '{"password": "wrong wrong"}', who="SECURITY_ADMIN")
        self.assertProblem(locked, 429, "XF-1009")
        self.assertLessEqual(int(locked.headers["retry-after"]), 1800)
        self.pass_time(31)
        # By the log's time every password is ten years old; its owner can still change it.
        right = self.demo["SECURITY_ADMIN_PASSWORD"]
        self.assertProblem(self.demo.curl("/v1/session", "--json", json.dumps({"password": right}), who="SECURITY_ADMIN"), 403, "XF-1021")
        changed = json.dumps({"password": right, "new_password": "Quill-41 Harbor tin"})
        self.assertEqual(self.demo.curl("/v1/session", "--json", changed, who="SECURITY_ADMIN").status, 201)


class WrongFromTheStart(OwnClock):
    def test_a_node_that_starts_before_its_logs_time_goes_on_as_soon_as_the_clock_is_right(self):
        kept = self.demo.submit(self.demo.penalties(1))
        self.set(-DAY)
        vault = self.demo.kill("vault")
        wait_until(lambda: set(self.demo.pids().get("vault", ())) - set(vault), 10, 0.1, "the vault's return")
        # The demo's certificates are of today.
        wait_until(lambda: self.demo.curl("/v1/status").status == 401, 20, 0.2, "that the certificates are of the future")
        self.set(0)
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 10, 0.2, "the right time again")
        answer = self.demo.submit(self.demo.penalties(1))
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(self.demo.submission(kept.id).json["state"], "accepted")
        self.demo.log_verify()
        self.assertTimesNeverGoBack()
        wait_until(lambda: "clock_behind" in [leaf["action"] for leaf in self.demo.leaves()], 10, 0.2, "its leaf")
        wait_until(self.steps, 10, 0.2, "the leaf of the step")
        self.assertEqual([result for result, _ in self.steps()], ["accepted"])
        self.assertFalse(self.is_alarmed())


if __name__ == "__main__":
    unittest.main()

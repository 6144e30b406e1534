"""The machine is full or sick: what cannot be taken is refused with 507 or 503 and nothing is lost, what is there is still
read, and everything goes on by itself once there is room again. BAK-04, OPS-02."""
import os
import pathlib
import re
import shutil
import signal
import socket
import unittest

from tests.support.demo import DemoCase, run, wait_until

RESERVE, LEAF_RESERVE = 8 << 20, 2 << 20
SIZE = 160 << 20


class OwnFileSystem(DemoCase):
    """The city's state lies on a small file system of its own: mount() makes it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.move_state()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def move_state(cls):
        demo = cls.demo
        cls.state = pathlib.Path(demo["CITY_STATE"])
        kept = demo.home / "kept"

        def mount():
            shutil.move(cls.state, kept)
            cls.state.mkdir()
            try:
                done = cls.mount()
            except FileNotFoundError as missing:
                raise unittest.SkipTest(f"this machine has no {missing.filename}")
            if done.returncode != 0:
                raise unittest.SkipTest(f"no file system can be mounted here: {done.stderr.decode()}")
            run("cp", "-a", f"{kept}/.", cls.state)
            run("sync", "--file-system", cls.state)
        demo.restart_city(lambda text: re.sub("disk_reserve_bytes: .*", f"disk_reserve_bytes: {RESERVE}", re.sub(
            "leaf_reserve_bytes: .*", f"leaf_reserve_bytes: {LEAF_RESERVE}", text)), mount)

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            run("umount", "--lazy", cls.demo["CITY_STATE"], check=False)
            shutil.rmtree(cls.demo.home, ignore_errors=True)


class SickMachine(OwnFileSystem):
    @classmethod
    def mount(cls):
        return run("mount", "-t", "tmpfs", "-o", f"size={SIZE},nr_inodes=400,mode=0700", "xinfu-test", cls.state, check=False)

    def tearDown(self):
        self.make_room()
        for path in self.state.glob("empty-*"):
            path.unlink()
        wait_until(lambda: self.demo.submit(self.demo.penalties(1)).status == 201, 20, 0.2, "being well again")

    def ballast(self, leave):
        """Leaves so many octets free."""
        free = os.statvfs(self.state)
        with open(self.state / "ballast", "ab") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size + max(free.f_bavail * free.f_bsize - leave, 1))

    def make_room(self):
        (self.state / "ballast").unlink(missing_ok=True)

    def assertReadable(self, answer, row, token):
        self.assertEqual(self.demo.submission(answer.id).json["state"], "accepted")
        self.assertEqual(self.demo.curl(f"/v1/submissions/{answer.id}/original").status, 200)
        found = self.demo.query(row["CF_XDR_SHXYM"], token=token)
        self.assertEqual(found.status, 200, found)
        self.assertEqual(len(found.json["records"]), 1)

    @staticmethod
    def once(answer):
        return answer if answer.status in (200, 201) else None

    def test_below_the_reserve_nothing_new_is_taken_and_what_is_there_is_read(self):
        row, token = self.demo.row(), self.demo.session("VIEWER")
        before = self.demo.submit(self.demo.csv([row]))
        refused, big = self.demo.sign(self.demo.penalties(1)), self.demo.sign(self.demo.penalties(3000))
        self.ballast(RESERVE // 2)
        for file in (refused, big):
            answer = self.demo.put(file, "later.p7m")
            self.assertProblem(answer, 507, "XF-6002")
            self.assertIn("retry-after", answer.headers)
        self.assertReadable(before, row, token)
        warnings = self.demo.curl("/v1/status").json["warnings"]
        self.assertIn("XF-6002", [warning["code"] for warning in warnings])
        self.make_room()
        wait_until(lambda: self.demo.put(refused, "later.p7m").status == 201, 10, 0.2, "room again")

    def test_a_disk_that_fills_while_a_file_comes_costs_that_file_alone(self):
        row, token = self.demo.row(), self.demo.session("VIEWER")
        before = self.demo.submit(self.demo.csv([row]))
        # 20 MB: above the reserve when it begins, not when it is half there.
        file = self.demo.sign(self.demo.penalties(1000, CF_SY="甲" * 4000, CF_NR="乙" * 3000))
        self.ballast(RESERVE + (4 << 20))
        answer = self.demo.put(file, "big.p7m")
        self.assertProblem(answer, 507, "XF-6002")
        self.assertReadable(before, row, token)
        self.make_room()
        taken = wait_until(lambda: self.once(self.demo.put(file, "big.p7m")), 10, 0.2, "room again")
        self.demo.verify_receipt(taken.body, file)

    def test_without_room_for_the_log_nothing_is_done_and_not_one_octet_left_is_no_worse(self):
        acknowledged = [self.demo.submit(self.demo.penalties(1))]
        files = [self.demo.sign(self.demo.penalties(1)) for _ in range(3)]
        for leave in (LEAF_RESERVE // 2, 0):
            self.ballast(leave)
            for number, file in enumerate(files):
                self.assertProblem(self.demo.put(file, f"none-{number}.p7m"), 503, "XF-6005")
            self.assertProblem(self.demo.submission(acknowledged[0].id), 503, "XF-6005")
        self.make_room()
        for number, file in enumerate(files):
            acknowledged.append(wait_until(lambda: self.once(self.demo.put(file, f"none-{number}.p7m")), 20, 0.2, "room again"))
        for answer in acknowledged:
            self.demo.verify_receipt(answer.body)
        self.demo.log_verify()

    def test_no_inode_left(self):
        small, big = self.demo.sign(self.demo.penalties(1)), self.demo.sign(self.demo.penalties(400))
        number = 0
        try:
            while True:
                (self.state / f"empty-{number}").touch()
                number += 1
        except OSError:
            pass
        self.assertGreater(number, 0)
        self.assertEqual(self.demo.put(small).status, 201, "it needs no file of its own")
        self.assertProblem(self.demo.put(big, "inodes.p7m"), 507, "XF-6002")
        for path in self.state.glob("empty-*"):
            path.unlink()
        self.assertEqual(self.demo.put(big, "inodes.p7m").status, 201)

    def test_a_flipped_bit_is_noticed_named_and_not_given_out(self):
        file = self.demo.sign(self.demo.penalties(400))
        taken = self.demo.put(file)
        self.assertEqual(taken.status, 201, taken)
        stored = self.state / "objects" / taken.id[:2] / taken.id
        sound = stored.read_bytes()
        damaged = bytearray(sound)
        damaged[len(sound) // 2] ^= 4
        stored.write_bytes(damaged)
        answer = self.demo.curl(f"/v1/submissions/{taken.id}/original")
        self.assertTrue(answer.status == 500 or answer.exit_code != 0, answer)
        self.assertNotEqual(answer.body, file.read_bytes())
        self.assertIn(f"not given out: object {taken.id}", (self.demo.dir / "city" / "restarted.log").read_text())
        self.assertIn("XF-9003", [warning["code"] for warning in self.demo.curl("/v1/status").json["warnings"]])
        stored.write_bytes(sound)
        self.assertEqual(self.demo.curl(f"/v1/submissions/{taken.id}/original").body, file.read_bytes())

    @unittest.skipIf(os.environ.get("XINFU_SANITIZED"), "the sanitizer needs a descriptor of its own to look at an object's type")
    def test_without_descriptors_for_more_clients_those_that_are_there_are_served(self):
        """More connections than the gateway has descriptors for, all of them idle."""
        self.demo.restart_city(prefix=("prlimit", "--nofile=64:64"))
        self.addCleanup(self.demo.restart_city)
        gateway = self.demo.pids()["gateway"]
        port = int(self.demo["CITY_URL"].rsplit(":", 1)[1])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        wait_until(lambda: len(list(pathlib.Path(f"/proc/{gateway[0]}/fd").iterdir())) == 64, 5, 0.1, "no descriptor left")
        self.demo.put(self.demo.sign(self.demo.penalties(1)), timeout=2)  # whatever comes of it
        for connection in idle:
            connection.close()
        wait_until(lambda: self.demo.submit(self.demo.penalties(1)).status == 201, 20, 0.2, "descriptors again")
        self.assertEqual(self.demo.pids()["gateway"], gateway, "nothing had to be restarted")

    def test_a_frozen_process_costs_time_and_nothing_else(self):
        self.demo.submit(self.demo.penalties(1))  # so that there is an inspector
        for role in ("inspector", "vault", "courier", "gateway"):
            with self.subTest(role=role):
                file, frozen = self.demo.sign(self.demo.penalties(2)), self.demo.pids()[role]
                for pid in frozen:
                    os.kill(pid, signal.SIGSTOP)
                try:
                    answer = self.demo.put(file, f"frozen-{role}.p7m", timeout=2)
                    self.assertIn(answer.status, (201,) if role == "courier" else (0, 503), answer)
                finally:
                    for pid in frozen:
                        os.kill(pid, signal.SIGCONT)
                answer = wait_until(lambda: self.once(self.demo.put(file, f"frozen-{role}.p7m")), 20, 0.2, "an answer")
                self.demo.verify_receipt(answer.body, file)
                self.demo.delivered(answer.id)
                self.assertEqual(self.demo.submission(answer.id).json["counts"]["stored"], 2)


class SickDisk(OwnFileSystem):
    @classmethod
    def mount(cls):
        cls.image = cls.demo.home / "image"
        if not cls.image.exists():
            run("truncate", "-s", SIZE, cls.image)
            run("mkfs.ext4", "-q", cls.image)
        return run("mount", "-o", "loop,errors=remount-ro", cls.image, cls.state, check=False)

    def test_a_file_system_that_turns_read_only_stops_the_node_until_it_was_repaired(self):
        device = pathlib.Path(run("losetup", "-n", "-O", "NAME", "-j", self.image).stdout.decode().strip()).name
        trigger = pathlib.Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
        if not trigger.exists():
            self.skipTest("this kernel cannot be told that the disk is wrong")
        before = [self.demo.submit(self.demo.penalties(1)) for _ in range(3)]
        file, big = self.demo.sign(self.demo.penalties(1)), self.demo.sign(self.demo.penalties(400))
        trigger.write_text("a test")
        for name, body in (("small.p7m", file), ("big.p7m", big), ("small.p7m", file)):
            self.assertIn(self.demo.put(body, name, timeout=5).status, (0, 503))
        wait_until(lambda: "the store: Read-only file system" in (self.demo.dir / "city" / "restarted.log").read_text(), 5,
                   what="a vault that says what is wrong")

        def repair():
            run("umount", self.state)
            # Held elsewhere, the file system would go on as it is, and what is repaired would not be what is mounted.
            wait_until(lambda: not run("losetup", "-j", self.image).stdout, 20, 0.05, "the device's end")
            self.assertIn(run("e2fsck", "-fy", self.image, check=False).returncode, (0, 1))
            self.assertEqual(self.mount().returncode, 0)
            self.assertFalse(os.statvfs(self.state).f_flag & os.ST_RDONLY, "mounted, but read-only")
        self.demo.restart_city(meanwhile=repair)
        for name, body in (("small.p7m", file), ("big.p7m", big)):
            answer = self.demo.put(body, name)
            self.assertIn(answer.status, (200, 201), answer)
            self.demo.verify_receipt(answer.body, body)
            self.demo.delivered(answer.id)
        for answer in before:
            self.assertEqual(self.demo.submission(answer.id).json["state"], "accepted")
            self.demo.verify_receipt(answer.body)
        self.demo.log_verify()


if __name__ == "__main__":
    unittest.main()

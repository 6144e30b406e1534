"""Evidence verifies without us: an independent program on Go's sumdb packages reads receipts and the whole log, and every
alteration is noticed. AUD-03, AUD-08, AUD-05 (delete, alter, reorder, truncate)."""
import pathlib
import re
import shutil
import unittest

from tests.support.demo import XINFU, DemoCase, receipt_index, run

VERIFIER = pathlib.Path(__file__).resolve().parents[1] / "support" / "verifier"


def tile_name(number):
    text = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        text = f"x{number % 1000:03d}/" + text
    return text


class Evidence(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.verifier = cls.demo.work / "verifier"
        run("bash", VERIFIER / "build.sh", cls.verifier)
        cls.receipts = []
        for count in (1, 5, 2):
            file = cls.demo.sign(cls.demo.penalties(count))
            answer = cls.demo.put(file)
            cls.receipts.append((answer.body, file))

    def fetch(self, node="CITY"):
        """The log as a directory in tlog-tiles layout."""
        out = self.demo.path(suffix=".log")
        out.mkdir()

        def save(path):
            answer = self.demo.curl("/v1/log/" + path, who="LOG_READER", node=node)
            self.assertEqual(answer.status, 200, (path, answer))
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(answer.body)
            return answer.body
        size = int(save("checkpoint").decode().split("\n")[1])
        count, level = size, 0
        while count:
            for index in range(count // 256):
                save(f"tile/{level}/{tile_name(index)}")
            if count % 256:
                save(f"tile/{level}/{tile_name(count // 256)}.p/{count % 256}")
            count, level = count // 256, level + 1
        for index in range(size // 256):
            save(f"tile/entries/{tile_name(index)}")
        if size % 256:
            save(f"tile/entries/{tile_name(size // 256)}.p/{size % 256}")
        return out, size

    def test_an_independent_program_verifies_every_receipt(self):
        for receipt, file in self.receipts:
            run(self.verifier, "receipt", self.demo.path(receipt), self.demo["CITY_LOG_KEY"])

    def test_an_independent_program_verifies_the_whole_log_of_every_level(self):
        for node in ("CITY", "PROVINCE", "NATION"):
            out, size = self.fetch(node)
            run(self.verifier, "log", out, self.demo[node + "_LOG_KEY"])
            self.assertGreater(size, 3)

    def test_the_log_only_grows(self):
        old, old_size = self.fetch()
        self.demo.submit(self.demo.penalties(1))
        new, new_size = self.fetch()
        self.assertGreater(new_size, old_size)
        for path in (old / "tile" / "entries").rglob("*"):
            if path.is_file() and ".p" not in str(path):
                self.assertEqual(path.read_bytes(), (new / path.relative_to(old)).read_bytes())
        checkpoint = old / "checkpoint"
        run(XINFU, "log", "verify", "--dir", new, "--log-key", self.demo["CITY_LOG_KEY"], "--from", checkpoint)

    def test_any_alteration_of_a_fetched_log_is_noticed_and_exits_4(self):
        out, size = self.fetch()
        self.assertEqual(run(XINFU, "log", "verify", "--dir", out, "--log-key", self.demo["CITY_LOG_KEY"]).returncode, 0)
        files = [p for p in out.rglob("*") if p.is_file()]
        for path in files:
            whole = path.read_bytes()
            for name, damaged in (("altered", bytes([whole[0] ^ 1]) + whole[1:]),
                                  ("altered in the middle", whole[:len(whole) // 2] +
                                   bytes([whole[len(whole) // 2] ^ 4]) + whole[len(whole) // 2 + 1:]),
                                  ("truncated", whole[:-1])):
                path.write_bytes(damaged)
                done = run(XINFU, "log", "verify", "--dir", out, "--log-key", self.demo["CITY_LOG_KEY"], check=False)
                self.assertEqual(done.returncode, 4, (path, name, done))
                independent = run(self.verifier, "log", out, self.demo["CITY_LOG_KEY"], check=False)
                self.assertNotEqual(independent.returncode, 0, (path, name))
            path.write_bytes(whole)
        entries = next(p for p in files if "entries" in str(p))
        whole = entries.read_bytes()
        first = 2 + int.from_bytes(whole[:2], "big")
        second = first + 2 + int.from_bytes(whole[first:first + 2], "big")
        entries.write_bytes(whole[first:second] + whole[:first] + whole[second:])
        done = run(XINFU, "log", "verify", "--dir", out, "--log-key", self.demo["CITY_LOG_KEY"], check=False)
        self.assertEqual(done.returncode, 4, "reordered")
        shutil.rmtree(out)

    def test_any_alteration_of_a_receipt_is_noticed(self):
        receipt, file = self.receipts[1]
        for position in range(0, len(receipt), 7):
            damaged = bytearray(receipt)
            damaged[position] ^= 0x04
            done = self.demo.verify_receipt(bytes(damaged), file, check=False)
            self.assertEqual(done.returncode, 4, (position, receipt[max(0, position - 20):position + 20], done))

    def test_a_receipt_of_another_node_or_file_does_not_pass(self):
        receipt, file = self.receipts[0]
        self.assertEqual(self.demo.verify_receipt(receipt, file, node="PROVINCE", check=False).returncode, 4)
        self.assertEqual(self.demo.verify_receipt(receipt, self.receipts[1][1], check=False).returncode, 4)

    def test_there_is_one_leaf_for_each_thing_done(self):
        before = len(self.demo.leaves())
        row = self.demo.row()
        answer = self.demo.submit(self.demo.csv([row]))
        self.demo.delivered(answer.id)
        self.demo.query(row["CF_XDR_SHXYM"])
        leaves = self.demo.leaves()[before:]
        mine = [leaf for leaf in leaves if leaf.get("object", {}).get("id") == answer.id and leaf["action"] == "submit"]
        self.assertEqual(len(mine), 1)
        self.assertEqual(receipt_index(answer.text), before + leaves.index(mine[0]))
        self.assertEqual(sum(leaf["action"] == "query" for leaf in leaves), 1)
        # An earlier file's acknowledgements may still be coming in.
        self.assertGreaterEqual(sum(leaf["action"] == "deliver" for leaf in leaves), 2)
        times = [leaf["time"] for leaf in self.demo.leaves()]
        self.assertEqual(times, sorted(times))
        for leaf in leaves:
            self.assertTrue(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", leaf["time"]))


if __name__ == "__main__":
    unittest.main()

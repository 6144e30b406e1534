"""Evidence verifies without us: an independent program on Go's sumdb packages and one written from the documents alone read
receipts and the whole log, and every alteration is noticed. AUD-03, AUD-08, AUD-05 (delete, alter, reorder, truncate)."""
import pathlib
import re
import shutil
import sys
import unittest

from tests.support.demo import XINFU, DemoCase, receipt_index, run, wait_until

VERIFIER = pathlib.Path(__file__).resolve().parents[1] / "support" / "verifier"
AUDITOR = VERIFIER.parent / "auditor.py"


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
        whole = self.demo.leaves()
        times = [leaf["time"] for leaf in whole]
        self.assertEqual(times, sorted(times))
        for leaf in leaves:
            self.assertTrue(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", leaf["time"]))

    def test_an_exported_log_verifies_elsewhere_and_shows_any_damage(self):
        out = self.demo.work / "export"
        access = ["--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert", self.demo["LOG_READER_CERT"],
                  "--key", self.demo["LOG_READER_KEY"]]
        run(XINFU, "log", "export", "--out", out, *access)
        verify = [XINFU, "log", "verify", "--dir", out, "--log-key", self.demo["CITY_LOG_KEY"]]
        run(*verify)
        run("sha256sum", "--quiet", "--strict", "--check", "SHA256SUMS", cwd=out)
        run(self.verifier, "log", out, self.demo["CITY_LOG_KEY"])
        (out / "note").write_text("not listed")
        self.assertEqual(run(*verify, check=False).returncode, 4)
        (out / "note").unlink()
        (out / "checkpoint").rename(out / "kept")
        self.assertEqual(run(*verify, check=False).returncode, 4)
        refused = run(XINFU, "log", "export", "--out", out, *access, check=False)
        self.assertEqual(refused.returncode, 2, refused)

    def audit(self, *arguments):
        return run(sys.executable, "-B", AUDITOR, *arguments, check=False)

    def export(self):
        """More than one bundle of the city's log, as `xinfu log export` writes it; and an older checkpoint of it."""
        id = self.demo.submit(self.demo.penalties(1)).id
        older = self.demo.path(self.demo.curl("/v1/log/checkpoint", who="LOG_READER").body)
        run("curl", "--silent", "--fail", "--cacert", self.demo["CA"], *self.demo.identity("DEPT"), "--output", "/dev/null",
            *[f"{self.demo['CITY_URL']}/v1/submissions/{id}/receipt"] * 300)  # each reading is a leaf
        out = self.demo.path(suffix=".export")
        run(XINFU, "log", "export", "--out", out, "--url", self.demo["CITY_URL"], "--ca", self.demo["CA"], "--cert",
            self.demo["LOG_READER_CERT"], "--key", self.demo["LOG_READER_KEY"])
        return out, older

    def test_the_documents_are_enough_to_verify_a_log(self):
        key = self.demo["CITY_LOG_KEY"]
        out, older = self.export()
        done = self.audit("log", out, key, "--from", older)
        self.assertEqual(done.returncode, 0, done)
        files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
        rest = int((out / "checkpoint").read_text().split("\n")[1]) - 256
        self.assertTrue(0 < rest < 256, "the rest of this test names two bundles")
        last = f"001.p/{rest}"
        self.assertEqual(files, ["SHA256SUMS", "checkpoint", "tile/0/000", f"tile/0/{last}", "tile/1/000.p/1",
                                 "tile/entries/000", f"tile/entries/{last}"])

        def refused(content, path, position):
            """All three verifiers object to this content of the file, and the auditor's names the position."""
            whole = (out / path).read_bytes()
            (out / path).write_bytes(content(whole))
            try:
                done = self.audit("log", out, key)
                self.assertEqual(done.returncode, 4, (path, position, done))
                self.assertTrue(done.stderr.decode().startswith(f"auditor: {position}"), (position, done.stderr))
                self.assertEqual(run(XINFU, "log", "verify", "--dir", out, "--log-key", key, check=False).returncode, 4)
                if path != "SHA256SUMS":
                    self.assertNotEqual(run(self.verifier, "log", out, key, check=False).returncode, 0, path)
            finally:
                (out / path).write_bytes(whole)

        def flipped(at):
            return lambda whole: whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]

        for path in files:
            whole = (out / path).read_bytes()
            for at in (0, len(whole) // 2, len(whole) - 1):
                if "entries" in path:
                    index, end = -1, 0
                    while end <= at:
                        index, end = index + 1, end + 2 + int.from_bytes(whole[end:end + 2], "big")
                    position = f"entry {index + (256 if '001' in path else 0)} ({path},"
                elif "tile" in path:
                    position = f"{path}, byte {at // 32 * 32}: "
                else:
                    position = path
                refused(flipped(at), path, position)
            if "tile" in path:
                refused(lambda whole: whole[:-1], path, "entry" if "entries" in path else f"{path}, byte {len(whole) - 32}")
                refused(lambda whole: whole + bytes(32), path, f"{path}, byte {len(whole)}: ")

        def without(entry):
            def change(whole):
                at = 0
                for _ in range(entry):
                    at += 2 + int.from_bytes(whole[at:at + 2], "big")
                return whole[:at] + whole[at + 2 + int.from_bytes(whole[at:at + 2], "big"):]
            return change
        for entry in (0, 100, 255):
            refused(without(entry), "tile/entries/000", f"entry {entry} (tile/entries/000,")
        (out / "tile/0/000").rename(out / "kept")
        self.assertIn(b"auditor: tile/0/000: missing", self.audit("log", out, key).stderr)
        (out / "kept").rename(out / "tile/0/000")
        (out / "more").write_text("not listed")
        self.assertIn(b"auditor: more: not in SHA256SUMS", self.audit("log", out, key).stderr)
        (out / "more").unlink()
        other = self.audit("log", out, self.demo["PROVINCE_LOG_KEY"])
        self.assertEqual(other.returncode, 4, other)
        self.assertIn(b"checkpoint", other.stderr)
        self.assertEqual(self.audit("log", out, key).returncode, 0)

    def test_the_documents_are_enough_to_verify_a_receipt(self):
        key = self.demo["CITY_LOG_KEY"]
        for receipt, file in self.receipts:
            kept = self.demo.path(receipt)
            for handed in (file, file.with_suffix(".content")):
                if not handed.exists():
                    run("openssl", "cms", "-verify", "-binary", "-noverify", "-inform", "DER", "-in", file, "-out", handed)
                done = self.audit("receipt", kept, key, "--file", handed)
                self.assertEqual(done.returncode, 0, done)
            self.assertEqual(self.audit("receipt", kept, key, "--file", kept).returncode, 4)
            self.assertEqual(self.audit("receipt", kept, self.demo["NATION_LOG_KEY"]).returncode, 4)
        for at in range(0, len(receipt), 29):
            kept.write_bytes(receipt[:at] + bytes([receipt[at] ^ 1]) + receipt[at + 1:])
            self.assertEqual(self.audit("receipt", kept, key).returncode, 4, at)

    def test_each_parcel_is_acknowledged_by_one_leaf_a_level(self):
        """AUD-04: the transmission ledger. Every file accepted so far is one parcel, and each parcel two deliveries."""
        self.demo.submit(self.demo.penalties(1))

        def acknowledged():
            leaves = self.demo.leaves()
            accepted = [leaf for leaf in leaves if leaf["action"] == "submit" and leaf["result"] == "accepted"]
            told = [(leaf["object"]["id"], leaf["reason"]) for leaf in leaves if leaf["action"] == "deliver"]
            return (accepted, told) if len(told) >= 2 * len(accepted) else None
        accepted, told = wait_until(acknowledged, what="two deliveries for each file")
        parcels = [f"city.province.{number}" for number in range(1, len(accepted) + 1)]
        self.assertEqual(sorted(told), sorted((parcel, level) for parcel in parcels for level in ("nation", "province")))


if __name__ == "__main__":
    unittest.main()

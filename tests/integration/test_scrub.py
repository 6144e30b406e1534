"""What a disk lost is found at night, before somebody needs it: pages, rows, originals. BAK-04, CHK-02."""
import os
import pathlib
import signal
import struct
import unittest

from tests.support.demo import DemoCase, wait_until

PAGE = 4096
LEAF, OVERFLOW = 2, 4  # kinds of LMDB's pages


class Store:
    """The store's file as bytes, for who damages it while the node is down."""

    def __init__(self, state):
        self.path = pathlib.Path(state) / "data.mdb"
        self.bytes = bytearray(self.path.read_bytes())

    def save(self):
        self.path.write_bytes(self.bytes)

    def pages(self, kind):
        """Offsets, the page written last behind the others."""
        return [at for at in range(2 * PAGE, len(self.bytes) - PAGE + 1, PAGE)
                if struct.unpack_from("<H", self.bytes, at + 10)[0] == kind]

    def keys(self, page):
        count = (struct.unpack_from("<H", self.bytes, page + 12)[0] - 16) // 2
        nodes = struct.unpack_from(f"<{count}H", self.bytes, page + 16)
        return [bytes(self.bytes[page + node + 8:page + node + 8 + struct.unpack_from("<H", self.bytes, page + node + 6)[0]])
                for node in nodes]


class Scrub(DemoCase):
    def journal(self):
        return (self.demo.dir / "city" / "restarted.log").read_text()

    def warnings(self):
        return [warning["code"] for warning in self.demo.curl("/v1/status").json["warnings"]]

    def scrub(self):
        """As `systemctl kill -s USR1 xinfu-vault` asks for it; what its leaf says."""
        def reasons():
            return [leaf["reason"] for leaf in self.demo.leaves() if leaf["action"] == "scrub"]
        before = len(reasons())
        os.kill(self.demo.pids()["vault"][0], signal.SIGUSR1)
        return wait_until(lambda: reasons()[before:], 60, 0.3, "the scrub's leaf")[0]

    def test_a_whole_store_has_no_findings(self):
        self.assertEqual(self.demo.submit(self.demo.penalties(300)).status, 201)
        said = self.scrub()
        self.assertRegex(said, r"^pages [1-9]\d*, rows [1-9]\d*, leaves [1-9]\d*, originals [1-9]\d*, damaged 0$")
        self.assertEqual(self.warnings(), [])

    def test_lost_originals_and_rows_are_named_before_somebody_asks_for_them(self):
        big = self.demo.submit(self.demo.penalties(400))
        gone = self.demo.submit(self.demo.penalties(400))
        self.assertEqual((big.status, gone.status), (201, 201))
        state = pathlib.Path(self.demo["CITY_STATE"])
        objects = {answer.id: state / "objects" / answer.id[:2] / answer.id for answer in (big, gone)}
        kept = objects[gone.id].read_bytes()
        whole = Store(state)

        def damage():
            store = Store(state)
            store.bytes[store.pages(OVERFLOW)[-1] + 100] ^= 1  # of a block of records, or what else was written last
            store.save()
            with open(objects[big.id], "r+b") as file:
                file.seek(70_000)
                octet = file.read(1)
                file.seek(70_000)
                file.write(bytes([octet[0] ^ 128]))
            objects[gone.id].unlink()
        self.demo.restart_city(meanwhile=damage)
        self.assertEqual(self.warnings(), [])
        self.assertIn("damaged 3", self.scrub())
        self.assertIn(f"object {big.id}", self.journal())
        self.assertIn(f"the original of submission {gone.id}", self.journal())
        self.assertRegex(self.journal(), r"not given out: \w+, key [0-9a-f]+")
        self.assertIn("XF-9003", self.warnings())

        # From a backup.
        def mend():
            store = Store(state)
            page = store.pages(OVERFLOW)[-1]
            self.assertEqual(bytes(store.bytes[page:page + 16]), bytes(whole.bytes[page:page + 16]))
            store.bytes[page + 100] ^= 1
            store.save()
            objects[gone.id].write_bytes(kept)
            sound = bytearray(objects[big.id].read_bytes())
            sound[70_000] ^= 128
            objects[big.id].write_bytes(sound)
        self.demo.restart_city(meanwhile=mend)
        self.assertIn("damaged 0", self.scrub())
        self.assertEqual(self.warnings(), [])

    def test_a_damaged_tree_is_named_at_the_start(self):
        """Two entries of a page change places: LMDB would look for a key on the wrong side and not find it."""
        self.assertEqual(self.demo.submit(self.demo.penalties(300)).status, 201)
        state = pathlib.Path(self.demo["CITY_STATE"])
        swapped = []

        def swap():
            store = Store(state)
            page = next(at for at in reversed(store.pages(LEAF))
                        if len(store.keys(at)) > 5 and all(len(key) == 52 for key in store.keys(at)))  # a record's index
            first, last = page + 16 + 2, page + 16 + 2 * (len(store.keys(page)) - 1)
            store.bytes[first:first + 2], store.bytes[last:last + 2] = store.bytes[last:last + 2], store.bytes[first:first + 2]
            store.save()
            swapped[:] = [page, first, last]
        self.demo.restart_city(meanwhile=swap)
        named = f"data.mdb, page {swapped[0] // PAGE} of "
        wait_until(lambda: named in self.journal(), 10, 0.2, f"'{named}' in the journal")
        self.assertRegex(self.journal(), named + "(subject_index|identity_claims): has keys out of order")
        self.assertIn("XF-9003", self.warnings())
        self.assertIn("damaged 1", self.scrub())
        self.demo.restart_city(meanwhile=swap_back(state, *swapped[1:]))
        self.assertIn("damaged 0", self.scrub())


def swap_back(state, first, last):
    def mend():
        store = Store(state)
        store.bytes[first:first + 2], store.bytes[last:last + 2] = store.bytes[last:last + 2], store.bytes[first:first + 2]
        store.save()
    return mend


if __name__ == "__main__":
    unittest.main()

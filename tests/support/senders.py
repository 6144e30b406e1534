"""Departments that hand in without a pause while things happen to the nodes, and what they may hold them to afterwards."""
import base64
import hashlib
import pathlib
import threading
import time
from collections import namedtuple

from tests.support.demo import PENALTY, DemoCase, receipt_index, receipt_leaf, wait_until

LARGE = 64 << 10  # octets: above it an original is a file of its own
PART = 100_000  # octets of an upload
Promise = namedtuple("Promise", "name file receipt id subject")  # id is None where the first answer was lost on its way


class Unexpected(Exception):
    pass


class Senders:
    """One sender for each number of rows, each sending file after file until the block ends; none gives up a file.
    `temporary` are the statuses after which the same is sent again."""

    def __init__(self, demo, rows=(40, 2, 2), temporary=(0, 408, 429, 503)):
        self.demo, self.stop, self.temporary = demo, threading.Event(), temporary
        self.promises, self.unexpected = [], []
        self.threads = [threading.Thread(target=self.send, args=(number, count)) for number, count in enumerate(rows)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(120)

    def send(self, number, count):
        serial = 0
        while not self.stop.is_set():
            serial += 1
            rows = [self.demo.row() for _ in range(count)]
            file, name = self.demo.sign(self.demo.csv(rows)), f"{type(self).__name__}-{number}-{serial}.p7m".lower()
            try:
                self.hand_in(file, name)
                answer = self.insist(lambda: self.demo.put(file, name, timeout=20), (200, 201))
            except Unexpected as why:
                self.unexpected.append((name, *why.args))
                return
            id = answer.id if "location" in answer.headers else None
            self.promises.append(Promise(name, file, answer.text, id, rows[0]["CF_XDR_SHXYM"]))

    def hand_in(self, file, name):
        """What comes before the request that is answered with the receipt."""

    def insist(self, request, wanted):
        for _ in range(200):
            answer = request()
            if answer.status in wanted:
                return answer
            if answer.status not in self.temporary:
                raise Unexpected(answer)
            time.sleep(0.2)
        raise Unexpected("never an answer")


class Uploaders(Senders):
    """The same in parts. Where the node's memory of an upload ends is never before what it once acknowledged."""

    def hand_in(self, file, name):
        body = file.read_bytes()
        place = self.opened(body, name)
        acknowledged = 0
        while acknowledged < len(body):
            part = self.demo.path(body[acknowledged:acknowledged + PART])
            answer = self.request("PATCH", place, f"Upload-Offset: {acknowledged}", "Content-Type: application/offset+octet-stream",
                                  options=["--data-binary", f"@{part}"])
            if answer.status != 204:
                if answer.status not in self.temporary:
                    raise Unexpected(answer)
                answer = self.insist(lambda: self.request("HEAD", place, options=["--head"]), (200, 404))
                if answer.status == 404 and acknowledged + PART >= len(body):
                    return  # the last part came through and its answer did not
            if "upload-offset" not in answer.headers or int(answer.headers["upload-offset"]) < acknowledged:
                raise Unexpected(f"{acknowledged} octets were acknowledged", answer)
            acknowledged = int(answer.headers["upload-offset"])

    def opened(self, body, name):
        values = {"catalog": PENALTY, "name": name, "sha256": hashlib.sha256(body).hexdigest()}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())
        return self.insist(lambda: self.request("POST", "/v1/uploads", f"Upload-Length: {len(body)}", "Upload-Metadata: " + metadata),
                           (201,)).headers["location"]

    def request(self, method, path, *headers, options=()):
        lines = [word for header in ("Tus-Resumable: 1.0.0", *headers) for word in ("-H", header)]
        return self.demo.curl(path, "-X", method, *lines, *options, timeout=20)


class SendersCase(DemoCase):
    def assertKept(self, *senders):
        """Nothing acknowledged is lost, doubled or half there, at any level."""
        for each in senders:
            self.assertFalse(each.unexpected, each.unexpected[:3])
        promises, seen = [promise for each in senders for promise in each.promises], {}
        large = [promise for promise in promises if promise.file.stat().st_size > LARGE]
        for name, file, receipt, *_ in promises:
            self.demo.verify_receipt(receipt, file)
            again = self.demo.put(file, name)
            self.assertEqual(again.status, 200, (name, again))
            self.assertEqual(receipt_index(again.text), receipt_index(receipt), name)
            self.assertNotIn(receipt_index(receipt), seen, name)
            seen[receipt_index(receipt)] = name
        token = self.demo.session("VIEWER")
        for promise in promises[:: max(1, len(promises) // 40)]:
            self.assertEqual(len(self.demo.query(promise.subject, token=token).json["records"]), 1, promise.name)
        for promise in promises:
            if promise.id:
                self.demo.delivered(promise.id, 60)
        for node in ("CITY", "PROVINCE", "NATION"):
            self.demo.log_verify(node)
        leaves = self.demo.leaves()
        for promise in promises:
            self.assertEqual(leaves[receipt_index(promise.receipt)], receipt_leaf(promise.receipt), promise.name)
        accepted = [leaf["object"]["id"] for leaf in leaves if leaf["action"] == "submit" and leaf["result"] == "accepted"]
        self.assertEqual(len(accepted), len(set(accepted)))
        for node in ("PROVINCE", "NATION"):
            upper = [(leaf["origin"]["index"], leaf["object"]["id"]) for leaf in self.demo.leaves(node)
                     if leaf["action"] == "submit" and leaf["result"] == "accepted"]
            ids = dict(upper)
            self.assertEqual(len(upper), len(ids), node)
            self.assertEqual(set(ids) & set(seen), set(seen), node)
            for promise in large:
                id = ids[receipt_index(promise.receipt)]
                stored = pathlib.Path(self.demo[node + "_STATE"]) / "objects" / id[:2] / id
                self.assertGreater(stored.stat().st_size, promise.file.stat().st_size, (node, promise.name))
        for promise in large:
            if promise.id:
                original = self.demo.curl(f"/v1/submissions/{promise.id}/original").body
                self.assertEqual(original, promise.file.read_bytes(), promise.name)
        for node, route in (("CITY", "province"), ("PROVINCE", "nation")):
            wait_until(lambda: self.link(route, node)["backlog"] == 0, 30, 0.5, f"an empty backlog of {node}")
            link = self.link(route, node)
            self.assertEqual(link["delivered"] + 1, link["next_sequence"], node)

    def link(self, route, node="CITY"):
        status = self.demo.as_person("SYSTEM_ADMIN", "/v1/status", node=node).json
        return next(link for link in status["links"] if link["route"] == route)

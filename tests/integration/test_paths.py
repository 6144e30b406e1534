"""Which ways data may take: listeners and routes count when they were approved, whatever the file says, and what differs is told:
PTH-01, PTH-02, PTH-05, APR-04, APR-05, OPS-13."""
import hashlib
import json
import pathlib
import socket
import unittest

from tests.support.demo import receipt_leaf, wait_until
from tests.support.people import PeopleCase
from tests.support.peers import Relay


def listening(pids):
    """What the system says these processes listen on."""
    inodes = set()
    for pid in pids:
        for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(descriptor.readlink().name)
            except OSError:
                continue
    found = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
            address, port = words[1].split(":")
            found.add(f"{socket.inet_ntoa(bytes.fromhex(address)[::-1])}:{int(port, 16)}")
    assert pathlib.Path("/proc/net/tcp6").exists()
    return found


class Paths(PeopleCase):
    def file(self):
        return self.demo.dir / "city" / "xinfu.yaml"

    def paths(self):
        answer = self.ask("AUDITOR", "/v1/paths")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def differences(self):
        return self.paths()["differences"]

    def alarmed(self):
        return "XF-2029" in [one["code"] for one in self.demo.curl("/v1/status").json["warnings"]]

    def by_hand(self, old, new):
        """The file is edited and the node started again; nobody is asked."""
        text = self.file().read_text()
        self.assertIn(old, text)
        self.demo.restart_city(meanwhile=lambda: self.file().write_text(text.replace(old, new)))
        return lambda: self.demo.restart_city(meanwhile=lambda: self.file().write_text(text))

    def form(self, **changed):
        return dict(self.paths()["approved"], **changed)

    def wish(self, form, who="SECURITY_ADMIN"):
        return self.post(who, "/v1/requests", {"act": "paths", "reason": "moved", "paths": form})

    def free_port(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return one.getsockname()[1]

    def test_what_is_open_is_what_was_approved(self):
        """PTH-02, PTH-05: the first start adopts the file; the look is on the log, and its record is what the leaf says."""
        shown = self.paths()
        self.assertEqual(shown["differences"], [])
        pids = [self.demo.supervisor(), *(pid for some in self.demo.pids().values() for pid in some)]
        approved = shown["approved"]
        self.assertEqual(listening(pids), {*approved["listen"], approved["metrics"]})
        check = shown["check"]
        self.demo.verify_receipt(check["receipt"])
        leaf = receipt_leaf(check["receipt"])
        self.assertEqual((leaf["action"], leaf["result"], leaf["object"]["digest"]),
                         ("check_paths", "done", hashlib.sha256(check["record"].encode()).hexdigest()))
        self.assertEqual(json.loads(check["record"])["open"], approved["listen"])
        self.assertEqual(len(self.leaves_of("adopt_paths")), 1)
        self.assertFalse(self.alarmed())
        receipt = self.demo.path(suffix=".receipt")
        told = self.demo.xinfu("AUDITOR", "paths", "show", "--receipt", receipt).stdout.decode()
        self.assertIn("listen " + approved["listen"][0], told)
        self.demo.verify_receipt(receipt.read_bytes())

    def test_a_route_edited_by_hand_does_not_count(self):
        """APR-04, OPS-13: parcels go the approved way, and it is told until the file is right again."""
        away = f"https://127.0.0.1:{self.free_port()}"
        repair = self.by_hand(self.demo["PROVINCE_URL"], away)
        try:
            self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)
            differences = self.differences()
            self.assertIn(f"configured, not approved: route province to province province {away}", differences)
            self.assertEqual(len(differences), 2, differences)
            wait_until(self.alarmed, what="the alarm")
            refused = self.leaves_of("check_paths", result="refused", code="XF-2029")
            self.assertTrue(refused)
            self.assertEqual(self.demo.xinfu("AUDITOR", "paths", "show", check=False).returncode, 1)
        finally:
            repair()
        wait_until(lambda: not self.alarmed(), what="the end of the alarm")
        self.assertEqual(self.differences(), [])

    def test_a_rogue_listener_is_told(self):
        """PTH-02, PTH-05."""
        rogue = f"127.0.0.1:{self.free_port()}"
        listen = self.paths()["approved"]["listen"][0]
        repair = self.by_hand(f'- "{listen}"\n', f'- "{listen}"\n    - "{rogue}"\n')
        try:
            self.assertEqual(sorted(self.differences()),
                             [f"configured, not approved: listen {rogue}", f"open, not approved: listen {rogue}"])
            wait_until(self.alarmed, what="the alarm")
        finally:
            repair()

    def test_an_approved_change_takes_effect_with_the_next_start_and_goes_back_the_same_way(self):
        """APR-04, APR-05: asked for with the command, with its differences; both ways in the log."""
        relay = Relay(int(self.demo["PROVINCE_URL"].rsplit(":", 1)[1]))
        self.addCleanup(relay.close)
        text = self.file().read_text()
        moved = text.replace(self.demo["PROVINCE_URL"], relay.url)
        asked = json.loads(self.demo.xinfu("SECURITY_ADMIN", "paths", "propose", "--config-file", self.demo.path(moved.encode(), ".yaml"),
                                           "--reason", "moved", "--json").stdout)
        self.assertEqual([(one["field"], bool(one["before"])) for one in asked["differences"]], [("route", True), ("route", False)])
        self.assertEqual(self.approve(asked["id"]).json["state"], "executed")
        self.assertEqual(len(self.leaves_of("approve_paths", approval=asked["id"])), 1)
        self.assertIn(f"in effect from the next start on: route province to province province {relay.url}", self.differences())
        count = len(relay.conversations)
        self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)
        self.assertEqual(len(relay.conversations), count)
        self.demo.restart_city(meanwhile=lambda: self.file().write_text(moved))
        self.assertEqual(self.differences(), [])
        self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)
        self.assertGreater(len(relay.conversations), count)
        self.demo.restart_city(lambda now: text)
        self.assertEqual(self.differences(), [])
        self.demo.delivered(self.demo.submit(self.demo.penalties(1)).id)

    def test_an_older_protocol_is_not_spoken_because_a_file_says_so(self):
        """APR-05: a security parameter."""
        def older():
            return self.demo.curl("/v1/status", "--tls-max", "1.2").status
        self.assertEqual(older(), 200)
        self.demo.restart_city(lambda text: text.replace("  metrics:", "  tls12: false\n  metrics:"))
        self.assertNotEqual(older(), 200)
        repair = self.by_hand("tls12: false", "tls12: true")
        self.assertNotEqual(older(), 200)
        self.assertIn("configured, not approved: tls12 true", self.differences())
        repair()
        self.demo.restart_city(lambda text: text.replace("tls12: false", "tls12: true"))  # and this time it is asked for
        self.assertEqual(older(), 200)

    def test_paths_that_cannot_be_used_are_refused(self):
        """With what is wrong; and nobody without the right asks or decides."""
        good = self.form()
        route = good["routes"][0]
        for changed, said in (({"listen": []}, "gateway.listen"), ({"listen": ["8443"]}, "gateway.listen"),
                              ({"metrics": "0.0.0.0:9464"}, "gateway.metrics"),
                              ({"routes": [dict(route, url="http://127.0.0.1:1")]}, "url"),
                              ({"routes": [dict(route, anchors="../../etc/passwd")]}, "anchors"),
                              ({"routes": [dict(route, anchors="certificates/none.pem")]}, "certificates/none.pem"),
                              ({"routes": [dict(route, log_key="other/log+12345678+AAAA")]}, "log_key"),
                              ({"routes": [dict(route, log_key=f"{route['node']}/log+zzzzzzzz+x")]}, "log_key"),
                              ({"routes": [dict(route, log_key=self.demo["PROVINCE_WITNESS_KEY"])]}, "log_key"),
                              ({"routes": [dict(route, witness_key=route["log_key"])]}, "witness_key"),
                              ({"witnessed": [{"node": "x", "log_key": route["log_key"]}]}, "witnessed"),
                              ({"witnessed": [{"node": self.demo["CITY_LOG_KEY"].split("/")[0],
                                               "log_key": self.demo["CITY_LOG_KEY"]}]}, "this node itself"),
                              ({"witnessed": [{"node": route["node"], "log_key": route["log_key"]}] * 2}, "witnessed"),
                              ({"routes": [route, route]}, "name"), ({"routes": [dict(route, level="moon")]}, "level"),
                              ({"routes": [dict(route, url="https://x: [yaml, *a]:1")]}, "url")):
            problem = self.assertProblem(self.wish(dict(good, **changed)), 422, "XF-2028")
            self.assertIn(said, problem["detail"], changed)
        self.assertProblem(self.wish(dict(good, tls12="yes")), 400, "XF-1109")
        self.assertProblem(self.wish(dict(good, more=1)), 400, "XF-1109")
        self.assertProblem(self.wish(good), 400, "XF-1117")
        for who in ("SYSTEM_ADMIN", "AUDITOR", "DATA_ADMIN", "APPROVER", "VIEWER"):
            self.assertProblem(self.wish(dict(good, tls12=False), who), 403, "XF-2001")
        for who in ("VIEWER", "APPROVER", "DATA_ADMIN"):
            self.assertProblem(self.ask(who, "/v1/paths"), 403, "XF-2001")
        one, two = (self.wish(dict(good, metrics=f"127.0.0.1:{port}")).json for port in (1001, 1002))
        self.assertProblem(self.approve(one["id"], "SECURITY_ADMIN"), 403, "XF-2012")
        self.assertEqual(self.approve(one["id"]).status, 200)
        self.assertProblem(self.approve(two["id"]), 409, "XF-2021")
        back = self.wish(good).json
        self.assertEqual(self.approve(back["id"]).status, 200)
        self.assertEqual(self.differences(), [])


if __name__ == "__main__":
    unittest.main()

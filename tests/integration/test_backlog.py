"""A level above that is slow, or takes connections and says nothing: files are taken as ever until as many parcels wait as may,
with a warning before, a plain stop there, and no hand of anybody's when it is over. OPS-02, UP-01, UP-07."""
import concurrent.futures
import re
import unittest

from tests.support.demo import DemoCase, receipt_index, run, wait_until
from tests.support.peers import Relay

LIMIT, LARGE = 20, 14


class Backlog(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            province = cls.demo["PROVINCE_URL"]
            cls.relay = Relay(int(province.rsplit(":", 1)[1]))
            cls.demo.restart_city(lambda text: text.replace(province, cls.relay.url).replace(
                "vault:\n", f"vault:\n  backlog_limit_parcels: {LIMIT}\n"))
            cls.token = cls.demo.session("VIEWER")
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.relay.close()
        super().tearDownClass()

    def setUp(self):
        self.addCleanup(self.free)
        self.files = [self.demo.sign(self.demo.penalties(1)) for _ in range(LIMIT + 6)]
        self.accepted = {}  # index of the receipt -> (name, file, id)

    def free(self):
        self.relay.most, self.relay.pause = 65536, 0
        self.relay.flowing.set()

    def put(self, number, timeout=10):
        """Whatever the level above does, an answer takes no longer than ever."""
        name = f"{self.id()}-{number}.p7m"
        answer = self.demo.put(self.files[number], name, timeout=timeout)
        if answer.status == 201:
            self.accepted[receipt_index(answer.text)] = (name, self.files[number], answer.id)
        return answer

    def link(self):
        return self.demo.curl("/v1/status").json["links"][0]

    def warnings(self):
        return {warning["code"] for warning in self.demo.curl("/v1/status").json["warnings"]} & {"XF-6011", "XF-7020"}

    def journal(self):
        return (self.demo.dir / "city" / "restarted.log").read_text()

    def assertRefused(self, answer):
        problem = self.assertProblem(answer, 503, "XF-6011")
        self.assertEqual(problem["retry"], "later")
        self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertIn(str(LIMIT), problem["detail"])
        self.assertIn(str(LIMIT), problem["detail_zh"])

    def assertDelivered(self):
        """Every accepted file is at both levels, once, in the order of its receipts, and the route has no gap."""
        wait_until(lambda: self.link()["backlog"] == 0, 60, 0.2, "an empty backlog")
        for _, _, id in self.accepted.values():
            self.demo.delivered(id, 60)
        for node in ("PROVINCE", "NATION"):
            arrived = [leaf["origin"]["index"] for leaf in self.demo.leaves(node)
                       if leaf["action"] == "submit" and leaf.get("origin", {}).get("index") in self.accepted]
            self.assertEqual(arrived, sorted(self.accepted), node)
        link = self.link()
        self.assertEqual(link["delivered"] + 1, link["next_sequence"])

    def test_silence_above_is_borne_up_to_the_limit_and_made_up_for_by_itself(self):
        told = len(self.journal())
        self.relay.flowing.clear()
        for number in range(LARGE - 1):
            self.assertEqual(self.put(number).status, 201)
        self.assertEqual(self.warnings(), set())
        self.assertEqual(self.put(LARGE - 1).status, 201)
        self.assertEqual(self.warnings(), {"XF-7020"})
        wait_until(lambda: f"{LARGE} parcels wait for the level above; at {LIMIT} " in self.journal()[told:], 10, 0.1, "the journal")
        for number in range(LARGE, LIMIT - 2):
            self.assertEqual(self.put(number).status, 201)
        # Two places are left, and eight want them.
        with concurrent.futures.ThreadPoolExecutor(8) as senders:
            answers = list(senders.map(self.put, range(LIMIT - 2, LIMIT + 6)))
        refused = [answer for answer in answers if answer.status != 201]
        self.assertEqual(len(refused), 6, answers)
        for answer in refused:
            self.assertRefused(answer)
        self.assertEqual(self.link()["backlog"], LIMIT)
        self.assertEqual(self.warnings(), {"XF-6011"})
        wait_until(lambda: f"{LIMIT} parcels wait for the level above, as many as may" in self.journal()[told:], 10, 0.1, "the journal")
        base = "http://" + re.search(r"metrics:\s*\"?([0-9.:]+)", (self.demo.dir / "city" / "xinfu.yaml").read_text()).group(1)
        metrics = run("curl", "-s", base + "/metrics").stdout.decode()
        self.assertIn(f'xinfu_link_backlog_parcels{{route="province"}} {LIMIT}\n', metrics)
        self.assertIn(f'xinfu_link_backlog_limit_parcels{{route="province"}} {LIMIT}\n', metrics)

        # What makes no parcel goes on.
        name, file, id = next(iter(self.accepted.values()))
        self.assertEqual(self.demo.put(file, name).status, 200)
        self.assertEqual(self.demo.submission(id).json["state"], "accepted")
        self.assertEqual(self.demo.curl(f"/v1/submissions/{id}/receipt").status, 200)
        self.assertEqual(self.demo.query(self.demo.row()["CF_XDR_SHXYM"], token=self.token).status, 200)
        big = self.demo.sign(self.demo.penalties(600))
        self.assertEqual(self.demo.curl("/v1/checks/administrative-penalty", "-T", big, "-X", "POST").status, 200)
        # What would make one costs nobody its body.
        answer = self.demo.put(big, "big.p7m", options=["--write-out", "%{http_code}%{stderr}%{size_upload}"])
        self.assertRefused(answer)
        self.assertEqual(answer.stderr.strip(), "0", "octets of the body")
        answer = self.demo.curl("/v1/uploads", "-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 100", "-H",
                                "Upload-Metadata: catalog YWRtaW5pc3RyYXRpdmUtcGVuYWx0eQ==,name YQ==,sha256 " + "MDAw" * 21 + "MA==")
        self.assertProblem(answer, 503, "XF-6011")

        self.free()
        self.assertDelivered()
        self.assertEqual(self.warnings(), set())
        wait_until(lambda: "parcels still wait for the level above" in self.journal()[told:], 10, 0.1, "the journal")
        self.assertEqual(self.journal()[told:].count("no further files are taken"), 2, "a line for each of the two")
        for number in range(LIMIT - 2, LIMIT + 6):
            self.assertIn(self.put(number).status, (200, 201))
        self.assertDelivered()

    def test_a_slow_line_holds_up_nobody_below(self):
        """5 KiB a second each way: less than a parcel."""
        self.relay.most, self.relay.pause = 512, 0.1
        for number in range(LARGE):
            self.assertEqual(self.put(number).status, 201)
        self.assertGreater(self.link()["backlog"], 0)
        self.free()
        self.assertDelivered()

    def test_what_waited_comes_in_its_order_whatever_dies_meanwhile(self):
        """Many parcels are on their way at one time, over a line on which they take some seconds."""
        self.relay.flowing.clear()
        for number in range(LIMIT):
            self.assertEqual(self.put(number).status, 201)
        self.relay.most, self.relay.pause = 4096, 0.05
        self.relay.flowing.set()
        for node, role in (("CITY", "courier"), ("PROVINCE", "vault"), ("PROVINCE", "gateway"), ("CITY", "vault")):
            waiting = self.link()["backlog"]
            wait_until(lambda: self.link()["backlog"] < waiting, 30, 0.05, f"a delivery before {node} {role} dies")
            before = self.demo.kill(role, node)
            wait_until(lambda: set(self.demo.pids(node).get(role, ())) - set(before), 5, 0.05, f"restart of {node} {role}")
            wait_until(lambda: self.demo.curl("/v1/status").status == 200, 10, 0.1, "the city")
        self.assertGreater(self.link()["backlog"], 0, "it was over before everything had died once")
        self.free()
        self.assertDelivered()


if __name__ == "__main__":
    unittest.main()

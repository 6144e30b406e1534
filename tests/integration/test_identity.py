"""Who may do what: IDN-01, IDN-05, ROL-01, ROL-04. Every refusal is a leaf."""
import calendar
import json
import socket
import ssl
import time
import unittest

from tests.integration import test_clock
from tests.support.demo import XINFU, DemoCase, run, wait_until


class Identity(DemoCase):
    def own_certificate(self, subject="/C=CN/O=Nobody/CN=nobody", days="1"):
        key, cert = self.demo.path(suffix=".key"), self.demo.path(suffix=".pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", cert, "-days", days, "-utf8", "-subj", subject)
        return ["--cert", cert, "--key", key]

    def test_without_a_certificate_the_handshake_fails(self):
        for version in ("--tlsv1.3", "--tls-max=1.2"):
            options = ["--tls-max", "1.2"] if "max" in version else [version]
            answer = self.demo.curl("/v1/status", *options, who=None)
            self.assertNotEqual(answer.exit_code, 0, answer)
            self.assertEqual(answer.status, 0)

    def test_another_cas_certificate_reaches_http_and_gets_401(self):
        self.assertProblem(self.demo.curl("/v1/status", certificate=self.own_certificate()), 401)
        file = self.demo.sign(self.demo.penalties(1))
        answer = self.demo.put(file, certificate=self.own_certificate())
        self.assertProblem(answer, 401)

    def test_a_certificate_with_the_same_names_is_not_the_enrolled_one(self):
        text = run("openssl", "x509", "-in", self.demo["DEPT_CERT"], "-noout", "-subject", "-nameopt",
                   "sep_multiline,utf8,sname").stdout.decode()
        names = [line.strip() for line in text.splitlines()[1:]]
        self.assertTrue(any(name.startswith("organizationIdentifier=") for name in names), text)
        forged = self.own_certificate("".join("/" + name for name in names))
        self.assertProblem(self.demo.curl("/v1/status", certificate=forged), 401)

    def test_both_tls_versions_serve_and_nothing_older(self):
        for options in (["--tlsv1.3"], ["--tls-max", "1.2"]):
            self.assertEqual(self.demo.curl("/v1/status", *options).status, 200)
        self.assertNotEqual(self.demo.curl("/v1/status", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0").exit_code, 0)
        self.assertNotEqual(self.demo.curl("/v1/status", "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA").exit_code, 0)

    def test_a_viewer_cannot_submit_and_a_department_cannot_query(self):
        file = self.demo.sign(self.demo.penalties(1))
        token = self.demo.session("VIEWER")
        answer = self.demo.put(file, who="VIEWER", options=["-H", f"Authorization: Bearer {token}"])
        self.assertProblem(answer, 403)
        body = json.dumps({"subject": "x", "purpose": "y"})
        self.assertProblem(self.demo.curl("/v1/records/administrative-penalty/query", "--json", body), 403)

    def test_a_person_needs_certificate_and_password(self):
        body = json.dumps({"subject": "x", "purpose": "y"})
        path = "/v1/records/administrative-penalty/query"
        self.assertProblem(self.demo.curl(path, "--json", body, who="VIEWER"), 401)
        wrong = self.demo.curl("/v1/session", "--json", json.dumps({"password": "wrong"}), who="AUDITOR")
        self.assertProblem(wrong, 401)
        token = self.demo.session("VIEWER")
        stolen = self.demo.curl(path, "--json", body, "-H", f"Authorization: Bearer {token}", who="APPROVER")
        self.assertProblem(stolen, 401)

    def test_an_administrator_sees_no_records(self):
        for who in ("SYSTEM_ADMIN", "DATA_ADMIN", "SECURITY_ADMIN", "AUDITOR"):
            self.assertProblem(self.demo.query("x", who=who), 403)

    def test_another_units_submission_answers_like_none(self):
        answer = self.demo.submit(self.demo.penalties(1))
        other = self.demo.submission(answer.id, who="DEPT2")
        none = self.demo.submission("0" * len(answer.id), who="DEPT2")
        self.assertEqual(other.status, 404, other)
        self.assertEqual((other.status, other.json["code"]), (none.status, none.json["code"]))

    def test_checkpoint_and_tiles_are_for_everyone_enrolled_entries_for_auditors(self):
        self.assertEqual(self.demo.curl("/v1/log/checkpoint").status, 200)
        self.assertProblem(self.demo.curl("/v1/log/tile/entries/000.p/1"), 403)
        self.assertEqual(self.demo.curl("/v1/log/tile/entries/000.p/1", who="LOG_READER").status, 200)

    def test_refusals_are_on_the_log(self):
        self.demo.curl("/v1/status", certificate=self.own_certificate())
        self.demo.put(self.demo.path(b"rubbish"))
        def logged():
            leaves = self.demo.leaves()
            return (any(leaf["action"] == "refuse_connection" for leaf in leaves)
                    and any(leaf["action"] == "submit" and leaf["result"] == "refused" for leaf in leaves))
        wait_until(logged, 70, 2, "both refusals on the log")

    def test_bytes_before_the_handshake_reach_nothing(self):
        host, port = self.demo["CITY_URL"].removeprefix("https://").split(":")
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\x01" * 20000, b"\x17\x03\x03\x00\x05hello"):
            with socket.create_connection((host, int(port)), timeout=15) as connection:
                try:
                    connection.sendall(rubbish)
                    while connection.recv(65536):
                        pass
                except (ConnectionError, TimeoutError, ssl.SSLError):
                    pass
        self.assertEqual(self.demo.curl("/v1/status").status, 200)


class Revocation(DemoCase):
    def test_a_revoked_certificate_stops_within_a_minute_also_on_open_connections(self):
        host, port = self.demo["CITY_URL"].removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=self.demo["CA"])
        context.load_cert_chain(self.demo["DEPT2_CERT"], self.demo["DEPT2_KEY"])
        context.check_hostname = False
        with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw) as connection:
            def ask():
                connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
                return connection.recv(65536)
            self.assertIn(b" 200 ", ask().split(b"\r\n")[0])
            authority = self.demo.dir / "ca"
            run(XINFU, "ca", "revoke", "--dir", authority, "--cert", self.demo["DEPT2_CERT"])
            run(XINFU, "ca", "crl", "--dir", authority, "--out", f"{self.demo['CITY_STATE']}/revocation/ca.crl")
            wait_until(lambda: b" 401 " in ask().split(b"\r\n")[0], 60, 1, "refusal of the revoked certificate")
        body = self.assertProblem(self.demo.curl("/v1/status", who="DEPT2"), 401)
        self.assertEqual(body["code"], "XF-1003")
        self.assertEqual(self.demo.curl("/v1/status").status, 200)


class OldRevocationList(test_clock.OwnClock):
    def test_a_list_that_is_too_old_is_relied_on_with_an_alarm_and_then_not_at_all(self):
        """IDN-01: whether a certificate was taken back is then unknown, and unknown is no."""
        authority, place = self.demo.dir / "ca", f"{self.demo['CITY_STATE']}/revocation/ca.crl"
        day = 24 * 60

        def publish(days):
            run(XINFU, "ca", "crl", "--dir", authority, "--days", days, "--out", place)

        def warned():
            return [one["code"] for one in self.demo.curl("/v1/status").json["warnings"]]
        self.set(0)
        publish("1")
        self.demo.restart_city()
        self.assertEqual(warned(), [])
        self.pass_time(day + 60)
        wait_until(lambda: warned() == ["XF-1017"], what="the alarm")
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)
        self.pass_time(7 * day - 120)
        wait_until(lambda: warned() == ["XF-1017"], what="the alarm alone")  # a look at the paths is due, too
        self.pass_time(121)
        answer = self.demo.curl("/v1/status")
        self.assertProblem(answer, 503, "XF-1026")
        self.assertIn("retry-after", answer.headers)
        self.assertProblem(self.demo.submit(self.demo.penalties(1)), 503, "XF-1026")
        publish("30")
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, 40, what="the end of the refusals")
        wait_until(lambda: warned() == [], what="the end of the alarm")
        self.assertEqual(self.demo.submit(self.demo.penalties(1)).status, 201)


class EndingCertificates(test_clock.OwnClock):
    def test_certificates_near_their_end_are_told_at_thirty_days_and_at_seven(self):
        ends = min(self.end_of(self.demo[f"{who}_CERT"]) for who in ("DEPT", "DEPT2", "APPROVER", "VIEWER", "LOG_READER"))
        left = int((ends - time.time()) // 60)  # minutes

        def told():
            status = self.demo.curl("/v1/status").json
            return status["state"], [one["detail"] for one in status["warnings"] if one["code"] == "XF-1027"]
        self.assertEqual(told(), ("ready", []))
        self.set(0)
        self.pass_time(left - 29 * 24 * 60)
        self.demo.restart_city()
        wait_until(lambda: told()[1] and told()[0] == "ready", what="the warning")
        detail = told()[1][0]
        self.assertRegex(detail, "[1-9][0-9]* end within 30 days, 0 of them within 7")
        self.pass_time(23 * 24 * 60)
        self.demo.restart_city()
        wait_until(lambda: told()[1] and " 0 of them" not in told()[1][0], what="the alarm")
        self.assertEqual(told()[0], "degraded")

    def end_of(self, certificate):
        told = run("openssl", "x509", "-in", certificate, "-noout", "-enddate").stdout.decode().split("=")[1].strip()
        return calendar.timegm(time.strptime(told, "%b %d %H:%M:%S %Y %Z"))


if __name__ == "__main__":
    unittest.main()

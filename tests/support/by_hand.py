"""City, province and nation made by hand, as administrators make them: `xinfu init`, certificates, routes."""
import json
import pathlib
import re
import socket
import subprocess

from tests.support.demo import BIN, XINFU, run, wait_until

LEVELS = ("city", "province", "nation")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ByHand:
    """A demo lends its authority and its persons; it answers for these nodes as HAND_CITY, HAND_PROVINCE and HAND_NATION.
    `machines`: what `xinfu init` enrols at the city; `unit`: whom the lower nodes speak for."""

    def __init__(self, demo, machines, unit):
        self.demo, self.made, self.supervisors = demo, {}, []
        self.home = demo.home / "by-hand"
        self.home.mkdir()
        below = None
        for level in LEVELS:
            below = self.make(level, machines if below is None else ["--platform", f"{below}={unit}"])
        for number, level in enumerate(LEVELS[:-1]):
            self.lead_upwards(level, *LEVELS[number + 1:])

    def issue(self, request, *options):
        out = self.demo.path(suffix=".pem")
        run(XINFU, "ca", "issue", "--dir", self.demo.dir / "ca", "--csr", request, "--out", out, *options)
        return out

    def make(self, level, enrolled):
        """Returns the file by which the level above knows it."""
        demo, port, metrics = self.demo, free_port(), free_port()
        persons = (("security_administrator", "SECURITY_ADMIN"), ("approver", "APPROVER"), ("auditor", "AUDITOR"),
                   ("system_administrator", "SYSTEM_ADMIN"))
        made = json.loads(run(
            XINFU, "init", "--json", "--dir", self.home / level, "--node", level, "--ca", demo["CA"], "--url-host", "127.0.0.1",
            "--gateway-listen", f"127.0.0.1:{port}", *enrolled,
            *(word for role, who in persons for word in ("--person", f"{role}={demo[who + '_CERT']}"))).stdout)
        certificates = self.home / level / "state" / "certificates"
        tls, parcel = (self.issue(made[name]).read_bytes() for name in ("tls_request", "parcel_request"))
        envelopes = [self.issue(request, "--encryption").read_bytes() for request in made["envelope_requests"]]
        for name, octets in (("tls", tls), ("parcel", parcel), ("envelope", b"".join(envelopes))):
            certificates.joinpath(name + ".pem").write_bytes(octets)
        path = self.home / level / "xinfu.yaml"
        text, changes = re.subn("127.0.0.1:9464", f"127.0.0.1:{metrics}", path.read_text())
        assert changes == 1, text
        path.write_text(re.sub(r"(handshakes_per_source_minute:) \d+", r"\1 100000", text))  # all come from one address
        made["envelope"] = envelopes[0]
        self.made[level] = made
        demo.env[f"XINFU_HAND_{level.upper()}_URL"] = f"https://127.0.0.1:{port}"
        demo.env[f"XINFU_HAND_{level.upper()}_LOG_KEY"] = made["log_key"]
        return demo.path(tls + parcel)

    def lead_upwards(self, level, upper, *beyond):
        certificates = self.home / level / "state" / "certificates"
        certificates.joinpath("route.pem").write_bytes(pathlib.Path(self.demo["CA"]).read_bytes())
        certificates.joinpath("upper-envelope.pem").write_bytes(self.made[upper]["envelope"])
        key = {name: json.dumps(self.made[name]["log_key"]) for name in (upper, *beyond)}
        url = self.demo[f"HAND_{upper.upper()}_URL"]
        with open(self.home / level / "xinfu.yaml", "a") as file:
            file.write(f"routes:\n  - name: {upper}\n    level: {upper}\n    node: {upper}\n    url: {url}\n"
                       f"    anchors: certificates/route.pem\n    envelope: certificates/upper-envelope.pem\n"
                       f"    log_key: {key[upper]}\n" + ("    onward:\n" if beyond else ""))
            for name in beyond:
                file.write(f"      - level: {name}\n        node: {name}\n        log_key: {key[name]}\n")

    def start(self, who):
        """`who` is enrolled at the city."""
        for level in LEVELS:
            with open(self.demo.dir / f"by-hand-{level}.log", "ab") as log:
                self.supervisors.append(subprocess.Popen(
                    [BIN / "xinfud", "run", "--config", self.home / level / "xinfu.yaml"], stdout=log, stderr=log))
        try:
            wait_until(lambda: self.demo.curl("/v1/status", who=who, node="HAND_CITY").status == 200, 20, 0.2, "the city's start")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for supervisor in self.supervisors:
            supervisor.terminate()
        for supervisor in self.supervisors:
            supervisor.wait(30)

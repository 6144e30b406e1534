"""A file that comes in parts, over a line that breaks: by curl, and by tus-js-client, which is not ours. CHK-01, BAK-04."""
import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import time
import unittest
import uuid

from tests.support.demo import PENALTY, XINFU, DemoCase, run, wait_until

CLIENT = pathlib.Path(__file__).resolve().parents[1] / "support" / "tus"
PART = "application/offset+octet-stream"


def client_modules():
    """tus-js-client as its lock file says, kept outside the checkout. None: no npm on this machine."""
    if not (shutil.which("npm") and shutil.which("node")):
        return None
    cache = pathlib.Path(os.environ.get("XINFU_CACHE") or pathlib.Path.home() / ".cache" / "xinfu")
    digest = hashlib.sha256((CLIENT / "package-lock.json").read_bytes()).hexdigest()[:16]
    target = cache / f"tus-client-{digest}"
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENT / name, target)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=target, timeout=300)
        (target / "complete").touch()
    return target


class BreakingLine:
    """Forwards connections to a port and cuts each after a random number of bytes."""

    def __init__(self, port, bytes_max):
        self.port, self.bytes_max, self.cuts = port, bytes_max, 0
        self.pause, self.forwarded = 0, 0  # seconds after each piece; bytes from clients
        self.random = random.Random(7)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client):
        server = socket.create_connection(("127.0.0.1", self.port))
        left = self.random.randrange(self.bytes_max // 4, self.bytes_max)

        def back():
            try:
                while data := server.recv(65536):
                    client.sendall(data)
            except OSError:
                pass
            client.close()
        threading.Thread(target=back, daemon=True).start()
        try:
            while data := client.recv(min(65536, left)):
                server.sendall(data)
                left -= len(data)
                self.forwarded += len(data)
                time.sleep(self.pause)
                if left <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def close(self):
        self.listener.close()


class Uploads(DemoCase):
    def request(self, method, path, *headers, body=None, who="DEPT"):
        options = ["-X", method] if method != "HEAD" else ["--head"]
        for header in ("Tus-Resumable: 1.0.0", *headers):
            options += ["-H", header]
        if body is not None:
            options += ["--data-binary", "@" + str(self.demo.path(body))]
        return self.demo.curl(path, *options, who=who)

    def open(self, file, name=None, sha256=None, catalog=PENALTY, who="DEPT"):
        content = file.read_bytes()
        values = {"catalog": catalog, "name": name or uuid.uuid4().hex + ".p7m",
                  "sha256": sha256 or hashlib.sha256(content).hexdigest()}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())
        return self.request("POST", "/v1/uploads", f"Upload-Length: {len(content)}", "Upload-Metadata: " + metadata, who=who)

    def append(self, place, offset, body, *headers, who="DEPT"):
        return self.request("PATCH", place, f"Upload-Offset: {offset}", "Content-Type: " + PART, *headers, body=body, who=who)

    def offset(self, place):
        answer = self.request("HEAD", place)
        return int(answer.headers["upload-offset"]) if answer.status == 200 else answer.status

    def opened(self, file, **more):
        answer = self.open(file, **more)
        self.assertEqual(answer.status, 201, answer)
        return answer.headers["location"]

    def test_parts_become_a_submission_like_any_other(self):
        content = self.demo.penalties(40)
        file = self.demo.sign(content)
        body, place = file.read_bytes(), self.opened(file)
        third = len(body) // 3
        for begin in (0, third, 2 * third):
            end = len(body) if begin == 2 * third else begin + third
            self.assertEqual(self.offset(place), begin)
            answer = self.append(place, begin, body[begin:end])
            self.assertEqual(answer.status, 204, answer)
        told = self.demo.curl(answer.headers["location"]).json
        self.assertEqual(told["state"], "accepted")
        self.assertEqual(told["counts"]["stored"], 40)
        receipt = self.demo.curl(answer.headers["location"] + "/receipt").body
        self.demo.verify_receipt(receipt, file)
        self.assertEqual(self.demo.curl(answer.headers["location"] + "/original").body, body)
        self.assertEqual(self.offset(place), 404)
        self.demo.delivered(told["id"])

    def test_what_came_before_a_kill_is_still_there(self):
        file = self.demo.sign(self.demo.penalties(5))
        body, place = file.read_bytes(), self.opened(file)
        self.append(place, 0, body[:2000])
        for role in ("vault", "gateway"):
            self.demo.kill(role)
            wait_until(lambda: self.offset(place) == 2000, what=f"the upload after {role}'s death")
        answer = self.append(place, 2000, body[2000:])
        self.assertEqual(answer.status, 204, answer)
        self.assertIn("location", answer.headers)

    def test_a_client_that_vanishes_mid_part_goes_on_where_it_was(self):
        file = self.demo.sign(self.demo.penalties(400))
        body, place = file.read_bytes(), self.opened(file)
        answer = self.demo.curl(place, "-X", "PATCH", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Offset: 0", "-H",
                                "Content-Type: " + PART, "--data-binary", "@" + str(file), "--limit-rate", "100k",
                                timeout=1)
        self.assertNotEqual(answer.exit_code, 0)
        there = wait_until(lambda: self.offset(place), what="some bytes")
        self.assertTrue(0 < there < len(body), there)
        answer = self.append(place, there, body[there:])
        self.assertEqual(answer.status, 204, answer)

    def test_refusals_say_what_is_wrong_and_keep_what_there_is(self):
        file = self.demo.sign(self.demo.penalties(3))
        body, place = file.read_bytes(), self.opened(file)
        wrong = base64.b64encode(hashlib.sha1(b"something else").digest()).decode()
        right = base64.b64encode(hashlib.sha256(body[:100]).digest()).decode()
        for status, code, answer in (
                (409, "XF-1120", self.append(place, 7, body[7:])),
                (460, "XF-1121", self.append(place, 0, body[:100], f"Upload-Checksum: sha1 {wrong}")),
                (400, "XF-1117", self.append(place, 0, body[:100], f"Upload-Checksum: crc32 {wrong}")),
                (413, "XF-1127", self.append(place, 0, body + b"more")),
                (415, "XF-1106", self.request("PATCH", place, "Upload-Offset: 0", body=body)),
                (412, "XF-1123", self.demo.curl(place, "-X", "DELETE")),
                (400, "XF-1117", self.open(file, sha256="12")),
                (404, "XF-2003", self.open(file, catalog="no-such-catalog")),
                (400, "XF-1110", self.open(file, name="a\tb")),
                (400, "XF-1110", self.open(file, name="../../xinfu.yaml")),
                (403, "XF-2001", self.open(file, who="LOG_READER")),
                (404, "XF-2005", self.append(place, 0, body, who="DEPT2"))):
            self.assertEqual((answer.status, answer.code), (status, code), answer)
            self.assertIn("tus-resumable", answer.headers)
            self.assertEqual(self.offset(place), 0)
        self.assertEqual(self.append(place, 0, body[:100], f"Upload-Checksum: sha256 {right}").status, 204)
        self.assertEqual(self.request("DELETE", place).status, 204)
        self.assertEqual(self.offset(place), 404)

    def test_a_name_that_looks_like_a_path_or_a_formula_is_only_a_name(self):
        for name in ("..", r"..\..\x.p7m", "=1+1"):
            file = self.demo.sign(self.demo.penalties(1))
            answer = self.append(self.opened(file, name=name), 0, file.read_bytes())
            self.assertEqual(answer.status, 204, answer)
            self.assertEqual(self.demo.curl(answer.headers["location"]).json["name"], name)

    def test_another_file_than_announced_is_refused(self):
        file = self.demo.sign(self.demo.penalties(1))
        place = self.opened(file, sha256="00" * 32)
        answer = self.append(place, 0, file.read_bytes())
        self.assertEqual((answer.status, answer.code), (422, "XF-1122"), answer)
        self.assertEqual(self.offset(place), 404)

    def test_a_defective_file_is_refused_with_its_defects(self):
        file = self.demo.sign(self.demo.penalties(2, CF_XDR_SHXYM="91219900000000000X"))
        answer = self.append(self.opened(file), 0, file.read_bytes())
        self.assertEqual(answer.status, 422, answer)
        self.assertEqual(len(answer.json["defects"]), 2)
        self.demo.verify_receipt(answer.json["receipt"])

    def test_an_account_has_so_many_uploads_and_no_more(self):
        file = self.demo.sign(self.demo.penalties(1), who="DEPT2")
        places, answer = [], None
        while len(places) < 40:
            answer = self.open(file, who="DEPT2")
            if answer.status != 201:
                break
            places.append(answer.headers["location"])
        self.assertEqual((answer.status, answer.code), (429, "XF-1124"))
        self.assertIn("retry-after", answer.headers)
        for place in places:
            self.assertEqual(self.request("DELETE", place, who="DEPT2").status, 204)

    def test_push_goes_on_after_it_was_killed(self):
        """9 MB: above the size from which push uploads in parts."""
        rows = [self.demo.row(CF_SY="甲" * 4000, CF_NR="乙" * 3000) for _ in range(450)]
        file = self.demo.path(self.demo.csv(rows), ".csv")
        line = BreakingLine(int(self.demo["CITY_URL"].rsplit(":", 1)[1]), 1 << 40)
        self.addCleanup(line.close)
        line.pause = 0.02
        push = ["push", file, "--catalog", PENALTY, "--url", f"https://127.0.0.1:{line.address[1]}", "--ca", self.demo["CA"],
                "--cert", self.demo["DEPT_CERT"], "--key", self.demo["DEPT_KEY"], "--log-key", self.demo["CITY_LOG_KEY"]]
        place = pathlib.Path(str(file) + ".upload")
        running = subprocess.Popen([XINFU, *map(str, push)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: place.exists() and place.read_text().endswith("\n"), what="an upload")
        wait_until(lambda: line.forwarded > 3_000_000, what="some of the body")
        running.kill()
        running.wait()
        where = place.read_text().split("\n")[1]
        there = wait_until(lambda: self.offset(where), what="the part's end")
        self.assertGreater(there, 1_000_000)
        line.pause, before = 0, line.forwarded
        done = run(XINFU, *push, "--json")
        told = json.loads(done.stdout)
        self.assertEqual(told["leaf"]["counts"]["stored"], 450)
        size = pathlib.Path(str(file) + ".p7m").stat().st_size
        self.assertLess(line.forwarded - before, size - there + 200_000, "what was there was sent again")
        self.assertFalse(place.exists())

    def test_a_client_that_is_not_ours_gets_through_a_line_that_breaks(self):
        modules = client_modules()
        if modules is None:
            self.skipTest("npm is not installed")
        file = self.demo.sign(self.demo.penalties(3000))
        city = self.demo["CITY_URL"]
        line = BreakingLine(int(city.rsplit(":", 1)[1]), file.stat().st_size // 3)
        self.addCleanup(line.close)
        endpoint = f"https://127.0.0.1:{line.address[1]}/v1/uploads"
        done = run("node", CLIENT / "upload.mjs", modules, file, endpoint, self.demo["CA"], self.demo["DEPT_CERT"],
                   self.demo["DEPT_KEY"], PENALTY, "broken-line.p7m", timeout=120)
        self.assertGreater(line.cuts, 2)
        place = done.stdout.decode().strip()
        self.assertEqual(self.demo.curl(place).json["counts"]["stored"], 3000)
        self.assertEqual(self.demo.curl(place + "/original").body, file.read_bytes())


if __name__ == "__main__":
    unittest.main()

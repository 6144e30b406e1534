"""The measurements, one after the other in one run; run.sh builds what they need and calls this."""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import time
import urllib.parse

from tests.bench import crowd
from tests.bench.machine import XINFU, Line, Nginx, Node, Postgres, Watch, describe, free_port, run, slow_syncs

AUDITOR = pathlib.Path(__file__).resolve().parents[1] / "support" / "auditor.py"
PUT = "/v1/submissions/administrative-penalty/"
COLUMNS = """CF_XDR_MC varchar(200) NOT NULL, CF_XDR_LB text NOT NULL CHECK (CF_XDR_LB IN ('法人及非法人组织', '自然人', '个体工商户')),
CF_XDR_SHXYM varchar(18) CHECK (length(CF_XDR_SHXYM) = 18), CF_FRDB varchar(50), CF_WSH varchar(128) NOT NULL,
CF_WFXW varchar(2000) NOT NULL, CF_SY varchar(5000) NOT NULL, CF_YJ varchar(2048) NOT NULL,
CF_CFLB text NOT NULL CHECK (string_to_array(CF_CFLB, ';') <@ ARRAY['警告', '通报批评', '罚款', '没收违法所得', '没收非法财物',
 '暂扣许可证件', '降低资质等级', '吊销许可证件', '限制开展生产经营活动', '责令停产停业', '责令关闭', '限制从业', '行政拘留', '其他']),
CF_NR varchar(4000) NOT NULL, CF_NR_FK numeric(13, 6) CHECK (CF_NR_FK > 0), CF_JDRQ date NOT NULL CHECK (CF_JDRQ <= current_date + 1),
CF_YXQ date NOT NULL, CF_CFJG varchar(200) NOT NULL, CF_CFJGDM varchar(18) NOT NULL CHECK (length(CF_CFJGDM) = 18),
CF_SJLY varchar(200) NOT NULL, CF_SJLYDM varchar(18) NOT NULL, CHECK (CF_YXQ >= CF_JDRQ)"""


def seconds_of(command, **more):
    begin = time.perf_counter()
    done = run(*command, **more)
    return time.perf_counter() - begin, done


def processor_time():
    times = os.times()
    return times.children_user + times.children_system


def idle_ticks():
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    return int(fields[4]) + int(fields[5])


class Bench:
    def __init__(self, asked):
        self.asked, self.work = asked, asked.work
        self.load = self.work / "load"
        self.results = {"machine": describe(), "measurements": {}}
        self.rows = []  # of the table: what, ours, peer, ratio, aim
        self.node = None

    def settle(self):
        """Waits until nobody else is busy: what other programs take, these figures lack."""
        until = time.monotonic() + self.asked.patience
        while time.monotonic() < until:
            before = idle_ticks()
            time.sleep(1)
            if (idle_ticks() - before) / os.sysconf("SC_CLK_TCK") > self.asked.idle * os.cpu_count():
                return
        print("  (others are busy: these figures are too low)", flush=True)

    def note(self, name, what, ours, peer=None, aim="", ratio=None, **figures):
        self.results["measurements"].setdefault(name, []).append(
            {"what": what, "figure": ours, "peer": peer, "ratio": ratio, "aim": aim, **figures})
        line = (what, ours, peer or "", "" if ratio is None else f"{ratio:.2f}", aim)
        self.rows.append(line)
        print("  " + " | ".join(line), flush=True)

    def cpu(self, name, what, amount, ours, theirs, unit):
        """The same comparison by processor time of the servers, which other programs on the machine disturb least."""
        mine, other = amount / max(ours["cpu_total"], 0.01), amount / max(theirs["cpu_total"], 0.01)
        self.note(name, what, f"{mine:.0f} {unit}", f"{other:.0f} {unit}", ratio=mine / other)

    def write(self):
        out, machine = self.asked.out, self.results["machine"]
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_text(json.dumps(self.results, indent=1, ensure_ascii=False) + "\n")
        lines = [f"commit {machine['commit']}, {machine['time']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
                 f"{machine['processor']}", "| what | ours | peer | ratio | aim |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        (out / "results.txt").write_text("\n".join(lines) + "\n")
        print("\n".join(lines))

    def go(self, verb, *options):
        return json.loads(run(self.load, verb, *options).stdout or "null")

    # ---- one file ------------------------------------------------------------------------------------------
    def one_file(self, rows, octets):
        path = self.work / "one.p7m"
        run(self.load, "file", *self.node.sender("DEPT", rows), "-out", path, "-count", rows, "-octets", octets)
        os.sync()
        return path

    def put(self, path, *options):
        """PUTs the file with stock curl; the receipt is verified and its counts returned. Seconds are curl's own."""
        answer, rows = self.work / "answer", None
        with Watch(self.node.supervisor) as watch:
            done = run(*self.node.curl(*options, "-T", path, "-o", answer, "-w", "%{http_code} %{time_total}",
                                       self.node["CITY_URL"] + PUT + f"{time.time_ns()}.p7m"))
        status, seconds = done.stdout.split()
        if status != b"201":
            raise RuntimeError(f"{status}: {answer.read_text()[:600]}")
        key = self.node["CITY_LOG_KEY"]
        run(XINFU, "receipt", "verify", answer, "--file", path, "--log-key", key)
        run(sys.executable, AUDITOR, "receipt", answer, key, "--file", path)
        said = run(XINFU, "receipt", "verify", answer, "--log-key", key).stdout.decode()
        rows = int(said.split("stored ")[1].split(",")[0])
        return float(seconds), rows, watch.report()

    def big(self):
        """A signed file of about 1 GiB, against nginx's WebDAV PUT of the same file with client certificates."""
        peer = Nginx(self.work, self.node["CA"])
        try:
            for name, option in (("TLS 1.3", "--tlsv1.3"), ("TLS 1.2", "--tls-max=1.2")):
                option, aim = option.split("="), {"TLS 1.3": 0.4, "TLS 1.2": 0.7}[name]
                ours, theirs, report = [], [], {}
                for _ in range(self.asked.repeat):
                    path = self.one_file(self.asked.big_rows, 4096)
                    size = path.stat().st_size / 1048576
                    with Watch(peer.process.pid) as watch:
                        done = run("curl", "--silent", "--show-error", "--fail", "--cacert", peer.dir / "cert.pem", "--cert",
                                   self.node["DEPT_CERT"], "--key", self.node["DEPT_KEY"], *option, "-T", path, "-w", "%{time_total}",
                                   f"https://127.0.0.1:{peer.port}/{name.replace(' ', '-')}")
                    theirs.append(size / float(done.stdout))
                    for kept in (peer.dir / "www").iterdir():
                        if kept.stat().st_size != path.stat().st_size:
                            raise RuntimeError("the peer kept something else")
                        kept.unlink()
                    os.sync()
                    seconds, rows, report = self.put(path, *option)
                    if rows != self.asked.big_rows:
                        raise RuntimeError(f"{rows} records stored")
                    ours.append(size / seconds)
                ours, theirs = sorted(ours)[len(ours) // 2], sorted(theirs)[len(theirs) // 2]
                other = watch.report()
                self.note("big", f"signed file of {size:.0f} MiB, {self.asked.big_rows} records, {name}", f"{ours:.0f} MiB/s",
                          f"nginx {theirs:.0f} MiB/s", f"{aim}", ours / theirs, records_per_second=round(ours / size * rows),
                          node=report, peer_process=other)
                self.cpu("big", f"the same, for a second of processor time, {name}", size, report, other, "MiB")
                self.note("big", f"most memory of a process meanwhile, {name}", f"{max(report['peak_mib'].values())} MiB", aim="64 MiB",
                          peaks=report["peak_mib"])
        finally:
            peer.down()

    def bulk(self):
        """A file of very many records, against PostgreSQL's COPY of the same rows."""
        for rows, octets in self.asked.bulk:
            path = self.one_file(rows, octets)
            text = pathlib.Path(f"{path}.csv")
            seconds, stored, report = self.put(path)
            if stored != rows:
                raise RuntimeError(f"{stored} records stored")
            peer = Postgres(self.work)
            try:
                peer.sql(f"CREATE TABLE penalty (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {COLUMNS}, "
                         "UNIQUE (CF_CFJGDM, CF_WSH, CF_XDR_SHXYM)); CREATE INDEX ON penalty (CF_XDR_SHXYM)")
                with open(text, encoding="utf-8") as handle:
                    names = handle.readline().strip()
                os.sync()
                command = [peer.bin / "psql", "-h", peer.dir, "-p", peer.port, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qc",
                           f"\\copy penalty ({names}) FROM STDIN WITH (FORMAT csv, HEADER true)"]
                with open(text, "rb") as handle, Watch(peer.process.pid) as watch:
                    taken, _ = seconds_of([*peer.prefix, *command], stdin=handle, cwd="/")
                if int(peer.sql("SELECT count(*) FROM penalty")) != rows:
                    raise RuntimeError("the peer stored another number")
            finally:
                peer.down()
                shutil.rmtree(peer.dir)
            ours, theirs, other = rows / seconds, rows / taken, watch.report()
            self.note("bulk", f"{rows} records of {text.stat().st_size // rows} octets in one signed file", f"{ours:.0f} records/s",
                      f"COPY {theirs:.0f} rows/s", "100000/s and 2", ours / theirs, node=report, peer_process=other,
                      mib_per_second=round(text.stat().st_size / 1048576 / seconds, 1))
            self.cpu("bulk", "the same, for a second of processor time", rows, report, other, "records")
            path.unlink()
            text.unlink()

    # ---- small files ---------------------------------------------------------------------------------------
    def files(self, who, count):
        directory = self.work / f"files-{who}"
        shutil.rmtree(directory, ignore_errors=True)
        run(self.load, "files", *self.node.sender(who, count * 10), "-dir", directory, "-count", count, "-records", 10)
        os.sync()
        return directory

    def small_curl(self):
        """Files of 10 records by stock curl processes with a kept connection each; beyond 32, by two departments."""
        for connections, count in zip((1, 8, 64), self.asked.curl_files):
            senders, sent = [], []
            departments = ("DEPT", "DEPT2") if connections > 32 else ("DEPT",)
            each = connections // len(departments)
            for who in departments:
                files = sorted(self.files(who, count // len(departments)).glob("*.p7m"))
                sent += files
                for number in range(each):
                    lines = []
                    for path in files[number::each]:
                        lines += [f'url = "{self.node["CITY_URL"]}{PUT}curl-{path.name}"', f'upload-file = "{path}"',
                                  f'output = "{path}.receipt"']
                    configuration = self.work / f"curl-{who}-{number}"
                    configuration.write_text("\n".join(lines) + "\n")
                    senders.append(self.node.curl("--config", str(configuration), "-w", "%{http_code}\\n", who=who))
            with Watch(self.node.supervisor) as watch:
                begin = time.perf_counter()
                running = [subprocess.Popen(sender, stdout=subprocess.PIPE) for sender in senders]
                codes = b"".join(sender.communicate()[0] for sender in running).split()
                seconds = time.perf_counter() - begin
            if codes != [b"201"] * len(sent):
                raise RuntimeError(f"{len(codes)} answers: { {code.decode(): codes.count(code) for code in set(codes)} }")
            for path in sent[::max(1, count // 20)]:
                run(XINFU, "receipt", "verify", f"{path}.receipt", "--file", path, "--log-key", self.node["CITY_LOG_KEY"])
            self.note("small-curl", f"files of 10 records, curl, {connections} connection{'s' * (connections > 1)}",
                      f"{len(sent) / seconds:.0f} receipts/s", node=watch.report(), files=len(sent))

    def small_kept(self, name="small-kept", how="", aim="1500/s"):
        """Files of 10 records on 64 connections that stay open, 32 for each of two departments; every receipt is verified."""
        both, count, samples = ("DEPT", "DEPT2"), self.asked.kept_files, self.work / "samples"
        directories = [self.files(who, count // 2) for who in both]
        shutil.rmtree(samples, ignore_errors=True)
        samples.mkdir()
        key = self.node["CITY_LOG_KEY"]
        with Watch(self.node.supervisor) as watch:
            sent = self.go("send", "-url", self.node["CITY_URL"], "-ca", self.node["CA"],
                           "-cert", ",".join(self.node[who + "_CERT"] for who in both),
                           "-key", ",".join(self.node[who + "_KEY"] for who in both), "-dir", ",".join(map(str, directories)),
                           "-connections", 32, "-log-key", key, "-samples", samples)
        if sent["status"] != {"201": count} or sent["records_stored"] != 10 * count:
            raise RuntimeError(str(sent))
        for path in sorted(samples.glob("*.receipt")):
            file = directories[0] / path.name.removesuffix(".receipt")
            run(XINFU, "receipt", "verify", path, "--file", file, "--log-key", key)
            run(sys.executable, AUDITOR, "receipt", path, key, "--file", file)
        size = sum(p.stat().st_size for place in directories for p in place.glob("*.p7m")) // count
        self.note(name, f"files of 10 records ({size} octets), 64 kept connections{how}", f"{sent['per_second']:.0f} receipts/s",
                  aim=aim, node=watch.report(), sent=sent)
        self.note(name, "the same, for a second of processor time of the node",
                  f"{count / max(watch.report()['cpu_total'], 0.01):.0f} receipts")
        self.note(name, "the same, time to the receipt: median, 99th percentile", f"{sent['p50_ms']:.0f} ms, {sent['p99_ms']:.0f} ms")

    def slow_sync(self):
        """The same on a node of its own whose every sync takes 5 ms longer."""
        ordinary = self.node
        place = self.work / "slow-node"
        place.mkdir()
        try:
            self.node = Node(place, slow_syncs(self.work))
            self.small_kept("slow-sync", ", every sync 5 ms slower", "1000/s")
        finally:
            if self.node is not ordinary:
                self.node.down()
            self.node = ordinary

    # ---- the line upwards ----------------------------------------------------------------------------------
    def catch_up(self):
        """What waited while the line was cut, delivered over a line of 200 ms there and back, against the same line without."""
        ordinary, place, address = self.node, self.work / "line", f"127.0.0.1:{free_port()}"
        place.mkdir()
        small, medium, bulk = self.asked.backlog
        try:
            self.node = Node(place, stopped=("nation",))
            self.node.restart(lambda text: text.replace(self.node["PROVINCE_URL"], f"https://{address}"))
            for what, files in ((f"{small} files of 10 records", [(small, 10, 0)]),
                                (f"{medium} files of 500 records", [(medium, 500, 0)]),
                                (f"{small // 2} files of 10 records and 2 of {bulk} of 400 octets", [(small // 2, 10, 0), (2, bulk, 400)])):
                rates, used = {0: [], 100: []}, {0: [], 100: []}
                for _ in range(self.asked.repeat):
                    for delay in rates:
                        self.hand_in(files)
                        seconds, used[delay] = self.deliver(address, delay)
                        rates[delay].append(sum(count for count, _, _ in files) / seconds)
                near, far = (sorted(rates[delay])[len(rates[delay]) // 2] for delay in rates)
                self.note("catch-up", f"backlog of {what}, 200 ms there and back", f"{far:.0f} parcels/s",
                          f"no delay {near:.0f} parcels/s", "0.7", far / near, rates=rates, node=used)
        finally:
            if self.node is not ordinary:
                self.node.down()
            self.node = ordinary

    def hand_in(self, kinds):
        """Files that wait: so many of so many records of so many octets."""
        for number, (count, records, octets) in enumerate(kinds):
            directory = self.work / f"waiting-{number}"
            shutil.rmtree(directory, ignore_errors=True)
            run(self.load, "files", *self.node.sender("DEPT", count * records), "-dir", directory, "-count", count, "-records",
                records, "-octets", octets)
            sent = self.go("send", *self.node.access(), "-dir", directory, "-connections", 8, "-log-key", self.node["CITY_LOG_KEY"])
            if sent["status"] != {"201": count}:
                raise RuntimeError(str(sent))

    def deliver(self, address, milliseconds):
        """Seconds from the first delivery to the last, once there is a line. Also what the city took meanwhile."""
        waiting, delivered = (f'xinfu_link_{name}{{route="province"}}' for name in ("backlog_parcels", "delivered_parcels_total"))
        before = self.node.metrics()
        begin = None
        with Line(self.load, address, self.node["PROVINCE_URL"], milliseconds), Watch(self.node.supervisor) as watch:
            while True:
                now = self.node.metrics()
                if begin is None and now[delivered] > before[delivered]:
                    begin, first = time.perf_counter(), now[delivered] - before[delivered]
                if now[waiting] == 0:
                    break
                time.sleep(0.02)
            seconds = time.perf_counter() - begin
        if now[delivered] - before[delivered] != before[waiting]:
            raise RuntimeError("not everything was delivered")
        return seconds * before[waiting] / (before[waiting] - first), watch.report()

    # ---- the rest ------------------------------------------------------------------------------------------
    def idle(self):
        time.sleep(2)
        with Watch(self.node.supervisor) as watch:
            time.sleep(3)
        report = watch.report()
        total = sum(report["peak_mib"].values())
        self.note("idle", f"memory of all {len(report['peak_mib'])} processes, idle", f"{total:.1f} MiB", aim="40 MiB", node=report)

    def query(self):
        """Queries by code, one after the other, each with its leaf in the log, after everything above was stored."""
        answer = run(*self.node.curl("--json", json.dumps({"password": self.node["VIEWER_PASSWORD"]}),
                                     self.node["CITY_URL"] + "/v1/session", who="VIEWER"))
        done = self.go("query", *self.node.access("VIEWER"), "-token", json.loads(answer.stdout)["token"], "-first", 1, "-of",
                       self.node.first["DEPT"] - 1, "-count", self.asked.queries)
        self.note("query", f"query by code among {self.node.first['DEPT'] - 1} records of the unit: median, 99th percentile",
                  f"{done['p50_ms']:.2f} ms, {done['p99_ms']:.2f} ms", aim="p99 2 ms at 10 million", result=done)

    def feed(self):
        """Every version of the catalog, page after page over one connection, each with its leaf in the log."""
        url = urllib.parse.urlsplit(self.node["CITY_URL"])
        context = ssl.create_default_context(cafile=self.node["CA"])
        context.load_cert_chain(self.node["RECIPIENT_CERT"], self.node["RECIPIENT_KEY"])
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60)
        versions, octets, times = 0, 0, []
        with Watch(self.node.supervisor) as watch:
            begin = time.perf_counter()
            while True:
                asked = time.perf_counter()
                connection.request("GET", f"/v1/feeds/administrative-penalty?after={versions}&limit=1000")
                answer = connection.getresponse()
                page = answer.read()
                times.append(time.perf_counter() - asked)
                if answer.status != 200:
                    raise RuntimeError(f"status {answer.status}: {page[:300]}")
                if not page:
                    break
                versions += page.count(b"\n")
                octets += len(page)
                if answer.headers["XF-Next"] != str(versions):
                    raise RuntimeError(f"position {answer.headers['XF-Next']} after {versions} versions")
            seconds = time.perf_counter() - begin
        report = watch.report()
        times.sort()
        self.note("feed", f"feed of {versions} versions of {octets // max(versions, 1)} octets, 1000 a page, 1 connection",
                  f"{versions / seconds:.0f} versions/s", node=report)
        self.note("feed", "the same, for a second of processor time of the node",
                  f"{versions / max(report['cpu_total'], 0.01):.0f} versions")
        self.note("feed", "the same, a page: median, 99th percentile",
                  f"{times[len(times) // 2] * 1000:.1f} ms, {times[len(times) * 99 // 100] * 1000:.1f} ms")

    def grown(self):
        """Files of very many records until the node holds as many as a city's: cost of a record, queries, start."""
        before = self.node.first["DEPT"] - 1
        costs, rates = [], []
        for _ in range(self.asked.grown):
            path = self.one_file(self.asked.grown_rows, 400)
            self.settle()
            seconds, stored, report = self.put(path)
            if stored != self.asked.grown_rows:
                raise RuntimeError(f"{stored} records stored")
            rates.append(stored / seconds)
            costs.append(report["cpu_total"] / stored * 1e6)
            path.unlink()
            pathlib.Path(f"{path}.csv").unlink()
            print(f"    {rates[-1]:.0f} records/s, {costs[-1]:.1f} us of processor time each", flush=True)
        held = self.node.first["DEPT"] - 1
        self.note("grown", f"a record's processor time with {before} stored, and with {held - self.asked.grown_rows}",
                  f"{costs[0]:.1f} us, {costs[-1]:.1f} us", aim="within twice", ratio=costs[-1] / costs[0],
                  records_per_second=[round(rate) for rate in rates])
        self.query()
        vault = int(next(line.split()[1] for line in (self.node.dir / "city" / "pids").read_text().splitlines()
                         if line.startswith("vault ")))
        os.kill(vault, 9)
        began = time.monotonic()
        ready = self.node.curl("--max-time", "2", "-o", "/dev/null", "-w", "%{http_code}", self.node["CITY_URL"] + "/v1/status")
        while run(*ready, check=False).stdout != b"200":
            if time.monotonic() - began > 120:
                raise RuntimeError("the vault does not come back")
            time.sleep(0.01)
        self.note("grown", f"from the end of the vault to its first answer, with {held} records stored",
                  f"{time.monotonic() - began:.2f} s", aim="1 s")
        self.idle()

    def log(self):
        """Verifying a log against `journalctl --verify` over the same number of entries with the same texts."""
        directory, journal, count = self.work / "log", self.work / "journal", self.asked.log_entries
        journal.mkdir()
        key = run(self.load, "log", "-out", directory, "-journal", self.work / "journal.export", "-count", count).stdout.decode().strip()
        used = [processor_time()]
        seconds, done = seconds_of([XINFU, "log", "verify", "--dir", directory, "--log-key", key])
        used.append(processor_time())
        if f"{count} entries".encode() not in done.stdout:
            raise RuntimeError(f"{done.stdout}")
        bad = directory / "tile" / "entries" / "000"
        whole = bad.read_bytes()
        bad.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        if run(XINFU, "log", "verify", "--dir", directory, "--log-key", key, check=False).returncode != 4:
            raise RuntimeError("a changed entry was not noticed")
        bad.write_bytes(whole)
        (directory / "SHA256SUMS").unlink()
        alone, _ = seconds_of([XINFU, "log", "verify", "--dir", directory, "--log-key", key])
        second, _ = seconds_of([sys.executable, AUDITOR, "log", directory, key])
        remote = "/lib/systemd/systemd-journal-remote"
        run(remote, "-o", journal / "bench.journal", "--split-mode=none", self.work / "journal.export")
        files = [f"--file={path}" for path in journal.iterdir()]
        headers = run("journalctl", "--header", *files).stdout.decode()
        entries = sum(int(line.split(":")[1]) for line in headers.splitlines() if line.strip().lower().startswith("entry objects"))
        if entries != count:
            raise RuntimeError(f"the journal has {entries} entries")
        used.append(processor_time())
        peer, _ = seconds_of(["journalctl", "--verify", "--quiet", *files])
        used.append(processor_time())
        self.note("log", f"verifying an export of {count} log entries", f"{count / seconds:.0f} entries/s",
                  f"journalctl {count / peer:.0f} entries/s", "1000000/s and 10", peer / seconds,
                  without_list=round(count / alone), auditor=round(count / second))
        self.note("log", "the same, for a second of processor time", f"{count / (used[1] - used[0]):.0f} entries",
                  f"{count / (used[3] - used[2]):.0f} entries", ratio=(used[3] - used[2]) / (used[1] - used[0]))
        self.note("log", "the same without its list of digests; by the Python auditor",
                  f"{count / alone:.0f} and {count / second:.0f} entries/s", ratio=peer / alone)

    def search(self):
        """The first page of a search in a long log, while leaves come in as fast as they can."""
        program = pathlib.Path(os.environ["XINFU_BIN"]) / "log_search_bench"
        done = json.loads(run(program, self.asked.search_leaves, timeout=7200, env={**os.environ, "TMPDIR": str(self.work)}).stdout)
        for what, figures in done.items():
            if isinstance(figures, dict):
                self.note("search", f"search among {done['leaves']} leaves, {what}: median, 99th percentile",
                          f"{figures['p50_ms']:.2f} ms, {figures['p99_ms']:.2f} ms", aim="50 ms at 10 million", found=figures["found"])
        self.note("search", "indexing a log, leaves a second; octets a leaf; leaves a second that came in during the searches",
                  f"{done['index_per_second']:.0f}; {done['index_bytes_per_leaf']:.0f}; {done['ingest_per_second']:.0f}")

    def crowd(self):
        crowd.measure(self)


STEPS = ("idle", "small-curl", "small-kept", "slow-sync", "crowd", "big", "bulk", "catch-up", "query", "feed", "grown", "log", "search")


def bulk_of(text):
    rows, octets = text.split("x")
    return int(rows), int(octets)


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    parser.add_argument("--only", default=",".join(STEPS), help="some of: %(default)s")
    parser.add_argument("--quick", action="store_true", help="small amounts: whether it works, not how fast")
    parser.add_argument("--repeat", type=int, default=3, help="big: how often; the median counts")
    parser.add_argument("--big-rows", type=int, default=262144)
    parser.add_argument("--bulk", type=bulk_of, nargs="+", default=[(1000000, 400), (1000000, 4096)], metavar="ROWSxOCTETS")
    parser.add_argument("--curl-files", type=int, nargs=3, default=[500, 2000, 6400], metavar="N", help="by 1, 8 and 64 connections")
    parser.add_argument("--kept-files", type=int, default=20000)
    parser.add_argument("--crowd-seconds", type=int, default=60)
    parser.add_argument("--backlog", type=int, nargs=3, default=[2000, 200, 50000], metavar="N",
                        help="catch-up: small files, middling ones, records of each of two big ones")
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--grown", type=int, default=10, metavar="FILES", help="of --grown-rows each, beside what is stored already")
    parser.add_argument("--grown-rows", type=int, default=1000000)
    parser.add_argument("--log-entries", type=int, default=1000000)
    parser.add_argument("--search-leaves", type=int, default=10000000)
    parser.add_argument("--idle", type=float, default=0.85, help="start a step when this part of the processors is idle,")
    parser.add_argument("--patience", type=float, default=300, help="or after so many seconds, which is then told")
    asked = parser.parse_args()
    if asked.quick:
        asked.repeat, asked.big_rows, asked.bulk, asked.curl_files = 1, 4096, [(5000, 400), (2000, 4096)], [20, 80, 256]
        asked.crowd_seconds = 5
        asked.kept_files, asked.queries, asked.log_entries, asked.backlog = 500, 200, 5000, [100, 10, 2000]
        asked.grown, asked.grown_rows, asked.search_leaves = 2, 5000, 20000
    bench = Bench(asked)
    failed = False
    bench.settle()
    try:
        bench.node = Node(asked.work)
        for step in STEPS:
            if step in asked.only.split(","):
                bench.settle()
                print(f"{step} ({time.strftime('%H:%M:%S')}, load {os.getloadavg()[0]:.1f})", flush=True)
                bench.results.setdefault("load", {})[step] = round(os.getloadavg()[0], 2)
                try:
                    getattr(bench, step.replace("-", "_"))()
                except (RuntimeError, OSError, KeyError, ValueError, IndexError) as error:
                    failed = True
                    bench.note(step, step, f"failed: {error}"[:700])
    finally:  # an interrupted run keeps what it has measured
        if bench.node:
            bench.node.down()
        bench.write()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

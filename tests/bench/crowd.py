"""Ten thousand idle and slow connections at once, and how honest senders fare meanwhile, against how they fare without.

The crowd is on the same machine, at the lowest priority, so that what it costs is what the node spends on it. It comes from
addresses of its own (127.x.y.z), as in reality; the honest senders have another."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

from tests.bench.machine import Watch, run

HONEST = "127.200.0.1"
RATE, FRESH, CONNECTIONS = 20, 4, 8  # files in a second on so many kept connections, and files on a connection of their own
RAMP = 30
NEW = 50  # connections a second of each kind: the rate that slowhttptest has by itself
# Kept at that number: whoever is sent away comes again. Names as in load/hold.go.
HELD = (("tcp", 3000, "STRANGER"), ("hello", 1000, "STRANGER"), ("half", 500, "STRANGER"), ("tls", 2500, "STRANGER"),
        ("tls", 2500, "DEPT2"))
# What slowhttptest does by itself: slow heads, slow bodies, slow reading.
SLOW = {"head": ("-H", "-i", "5", "-u", "/v1/catalogs"),
        "body": ("-B", "-i", "5", "-s", "1000000", "-t", "PUT", "-u", "/v1/submissions/administrative-penalty/slow.p7m"),
        "read": ("-X", "-w", "1", "-y", "512", "-z", "5", "-n", "5", "-u", "/v1/catalogs/administrative-penalty")}


def percentile(values, part):
    return sorted(values)[int(part * (len(values) - 1))]


class Crowd:
    def __init__(self, load, work, node, seconds, part):
        self.load, self.work, self.node, self.seconds, self.part = load, work, node, seconds, part
        self.configuration = node.dir / "city" / "xinfu.yaml"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=stranger",
            "-days", "2", "-keyout", work / "stranger.key", "-out", work / "stranger.pem")

    def identity(self, who):
        if who == "STRANGER":
            return ["-cert", str(self.work / "stranger.pem"), "-key", str(self.work / "stranger.key")]
        return self.node.identity(who)

    def limit(self, **limits):
        """Sets limits as an administrator does: in the file, and SIGHUP."""
        text = re.sub(r"(?m)^  limits:\n(    .*\n)*", "", self.configuration.read_text())
        lines = "".join(f"    {name}: {value}\n" for name, value in limits.items())
        self.configuration.write_text(text.replace("gateway:\n", f"gateway:\n  limits:\n{lines}"))
        os.kill(self.node.supervisor, signal.SIGHUP)
        time.sleep(1)

    def connections(self):
        """How many the gateway has, as it says."""
        url = re.search(r"metrics: \"?([0-9.:]+)", self.configuration.read_text()).group(1)
        text = run("curl", "-sS", "--max-time", "20", f"http://{url}/metrics").stdout.decode()
        return int(re.search(r"(?m)^xinfu_gateway_connections (\d+)", text).group(1))

    def files(self, name, count):
        directory = self.work / name
        shutil.rmtree(directory, ignore_errors=True)
        run(self.load, "files", *self.node.sender("DEPT", count * 10), "-dir", directory, "-count", count, "-records", 10)
        return directory

    def fresh(self, files, took, stop):
        """Stock curl with a connection for each file."""
        begin = time.monotonic()
        for number, path in enumerate(files):
            if stop.wait(max(0.0, begin + number / FRESH - time.monotonic())):
                return
            done = run(*self.node.curl("--interface", HONEST, "--max-time", "30", "-T", path, "-o", "/dev/null", "-w",
                                       "%{http_code} %{time_total}",
                                       f"{self.node['CITY_URL']}/v1/submissions/administrative-penalty/{path.name}"), check=False)
            status, seconds = done.stdout.decode().split()
            took.append((status, float(seconds) * 1000))

    def prepare(self):
        kept, fresh = self.files("kept", self.seconds * RATE), sorted(self.files("fresh", self.seconds * FRESH).glob("*.p7m"))
        os.sync()
        return kept, fresh

    def honest(self, kept, fresh):
        took, stop, open_at_once = [], threading.Event(), []
        thread = threading.Thread(target=self.fresh, args=(fresh, took, stop))
        with Watch(self.node.supervisor) as watch:
            thread.start()
            with subprocess.Popen([str(x) for x in (
                    self.load, "pace", *self.node.access("DEPT"), "-from", HONEST, "-dir", kept, "-connections", CONNECTIONS,
                    "-rate", RATE, "-log-key", self.node["CITY_LOG_KEY"])], stdout=subprocess.PIPE) as sender:
                while sender.poll() is None:
                    with contextlib.suppress(RuntimeError):
                        open_at_once.append(self.connections())
                    time.sleep(2)
                sent = json.loads(sender.stdout.read() or "null")
            stop.set()
            thread.join()
        if not sent:
            raise RuntimeError("no honest sender got through")
        taken = [ms for status, ms in took if status == "201"]
        return {"kept": sent, "fresh": {"sent": len(took), "taken": len(taken), "p50_ms": percentile(taken, 0.5),
                                        "p99_ms": percentile(taken, 0.99), "worst_ms": max(taken)},
                "connections": {"mean": sum(open_at_once) // len(open_at_once), "most": max(open_at_once)}, "node": watch.report()}

    @contextlib.contextmanager
    def around(self, sources):
        """The crowd, from so many addresses."""
        lasts = RAMP + self.seconds + 60
        lowest = ["nice", "-n", "19"]
        url, running = self.node["CITY_URL"], []

        def start(*command, **more):
            running.append(subprocess.Popen([*lowest, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                            start_new_session=True, **more))
            # Where each session has an equal part of the processors, the least part for this one: sched(7), autogroups.
            with contextlib.suppress(OSError):
                pathlib.Path(f"/proc/{running[-1].pid}/autogroup").write_text("19")
        try:
            for kind, number, who in HELD:
                start(self.load, "hold", "-url", url, *self.identity(who), "-kind", kind, "-connections", number // self.part,
                      "-sources", sources, "-seconds", lasts, "-rate", 300, "-again", NEW // self.part, "-interval", 5)
            for number, (kind, options) in enumerate(SLOW.items()):
                port = 20000 + os.getpid() % 10000 + number
                start(self.load, "relay", "-url", url, *self.identity("DEPT2"), "-sources", sources, "-listen", f"127.0.0.1:{port}")
                *options, path = options
                rate = max(1, NEW // self.part)
                start("slowhttptest", *options, f"http://127.0.0.1:{port}{path}", "-r", rate, "-c", rate * lasts, "-l", lasts,
                      "-p", 30, "-v", 0)
            time.sleep(RAMP)
            yield
            if all(process.poll() is None for process in running):
                return
            raise RuntimeError("the crowd went home early: " + str([process.args[3] for process in running if process.poll() is not None]))
        finally:
            for process in running:
                process.terminate()
                process.communicate()


def measure(bench):
    """Honest senders alone, among a crowd, alone again, and so on."""
    part = 20 if bench.asked.quick else 1
    crowd = Crowd(bench.load, bench.work, bench.node, bench.asked.crowd_seconds, part)
    before = crowd.configuration.read_text()
    ordinary = {"connections": 1024, "connections_per_source": 64, "handshakes_per_source_minute": 600}
    try:
        crowd.limit(**ordinary)
        alone = crowd.honest(*crowd.prepare())
        for what, sources, limits in (
                ("from 1000 addresses, connections: 16384", 1000, {**ordinary, "connections": 16384}),
                ("from 1000 addresses, limits as they are", 1000, ordinary), ("from 20 addresses, limits as they are", 20, ordinary)):
            crowd.limit(**limits)
            files = crowd.prepare()
            with crowd.around(sources):
                among = crowd.honest(*files)
            crowd.limit(**ordinary)
            again = crowd.honest(*crowd.prepare())
            tell(bench, what, part, alone, among, again)
            alone = again
    finally:
        crowd.configuration.write_text(before)
        os.kill(bench.node.supervisor, signal.SIGHUP)


def tell(bench, what, part, alone, among, again):
    figures = {"alone": alone, "among": among, "again": again}
    for who, name in (("kept", "kept connections"), ("fresh", "curl, a connection for each file")):
        quiet = (alone[who]["p99_ms"] + again[who]["p99_ms"]) / 2
        bench.note("crowd", f"{10000 // part} idle and slow connections {what}, {among['connections']['mean']} held: 99th percentile, {name}",
                   f"{among[who]['p99_ms']:.1f} ms", f"without {alone[who]['p99_ms']:.1f} and {again[who]['p99_ms']:.1f} ms", "2",
                   among[who]["p99_ms"] / quiet, **figures)
    lost = among["fresh"]["sent"] - among["fresh"]["taken"]
    others = {status: number for status, number in among["kept"]["status"].items() if status != "201"}
    bench.note("crowd", f"the same: not taken, of {among['kept']['requests']} files on kept connections and {among['fresh']['sent']} "
               "with curl", f"{sum(others.values())} and {lost}")
    bench.note("crowd", f"the same: tries until {CONNECTIONS} connections were open", str(among["kept"]["connection_tries"]))
    bench.note("crowd", "the same: memory of gateway and vault, processor time of the node a second",
               f"{among['node']['peak_mib']['xinfu-gateway']} and {among['node']['peak_mib']['xinfu-vault']} MiB, "
               f"{among['node']['cpu_total'] / bench.asked.crowd_seconds:.2f}",
               f"without {alone['node']['cpu_total'] / bench.asked.crowd_seconds:.2f}")

"""What the measurements run on and with: a node, its peers, and the watch over their processes' memory and time."""
import contextlib
import json
import os
import pathlib
import pwd
import shlex
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

from tests.support.preload import preload

XINFU = str(pathlib.Path(os.environ["XINFU_BIN"]) / "xinfu")
TICK = os.sysconf("SC_CLK_TCK")


def run(*command, check=True, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"{[str(c) for c in command][:6]} exited {done.returncode}: {done.stdout[-400:]} {done.stderr[-800:]}")
    return done


def describe():
    """The machine in general words: enough to compare runs, nothing that names it."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    root = pathlib.Path(__file__).resolve().parents[2]
    commit = run("git", "-C", root, "rev-parse", "HEAD", check=False).stdout.decode().strip()
    changed = run("git", "-C", root, "status", "--porcelain", check=False).stdout.decode().strip()
    return {"cores": os.cpu_count(), "memory_gib": round(memory / 1048576), "kernel": os.uname().release.split("-")[0],
            "processor": next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown"),
            "commit": commit + ("+" if changed else ""), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def descendants(pid):
    """{pid: name} of a process and all below it."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "stat").read_text()
            name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
            parents[int(entry.name)] = (int(rest[1]), name)
    found = {pid: parents[pid][1]} if pid in parents else {}
    while True:
        more = {child: name for child, (parent, name) in parents.items() if parent in found and child not in found}
        if not more:
            return found
        found.update(more)


class Watch:
    """Peak of RssAnon + RssShmem and processor time by name of process while the block runs."""

    def __init__(self, pid):
        self.pid, self.peak, self.cpu, self.done = pid, {}, {}, threading.Event()

    def sample(self, time_too=False):
        for pid, name in descendants(self.pid).items():
            with contextlib.suppress(OSError):
                if time_too:
                    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
                    fields = text[text.rindex(")") + 2:].split()
                    self.cpu[pid] = (name, (int(fields[11]) + int(fields[12])) / TICK)
                size = sum(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                           if line.startswith(("RssAnon", "RssShmem")))
                self.peak[pid] = (name, max(self.peak.get(pid, ("", 0))[1], size))

    def loop(self):
        while not self.done.wait(0.1):
            self.sample(True)

    @staticmethod
    def machine():
        """Seconds that all processors were busy, and those of this program and of the children it waited for."""
        ticks = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        own = os.times()
        return (sum(ticks) - ticks[3] - ticks[4]) / TICK, own.user + own.system + own.children_user + own.children_system

    def __enter__(self):
        self.sample(True)
        self.before = dict(self.cpu)
        self.began, self.busy = time.monotonic(), self.machine()
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.sample(True)
        self.seconds = time.monotonic() - self.began
        self.busy = [after - before for before, after in zip(self.busy, self.machine())]

    def report(self):
        memory, cpu = {}, {}
        for name, kib in self.peak.values():
            memory[name] = max(memory.get(name, 0), round(kib / 1024, 1))
        for pid, (name, seconds) in self.cpu.items():
            cpu[name] = round(cpu.get(name, 0) + seconds - self.before.get(pid, (name, 0))[1], 2)
        total = sum(cpu.values())
        others = max(0.0, self.busy[0] - self.busy[1] - total) / self.seconds
        return {"peak_mib": memory, "cpu_seconds": cpu, "cpu_total": round(total, 2), "processors_taken_by_others": round(others, 2)}


class Node:
    """The demo's city. The levels above are stopped, so that the figures are of one node: its parcels wait."""

    def __init__(self, work, command=XINFU, stopped=("province", "nation")):
        self.dir, self.command = work / "demo", command
        run(command, "demo", "up", "--dir", self.dir, timeout=180)
        self.env = {}
        for line in (self.dir / "env").read_text().splitlines():
            if "=" in line:
                name, value = line.split("=", 1)
                self.env[name.removeprefix("export ").strip()] = "".join(shlex.split(value))
        self.supervisor = self.parent("city")
        for level in stopped:
            os.kill(self.parent(level), 15)
        self.first = {"DEPT": 1, "DEPT2": 50_000_000}  # number of the next record: no two are alike

    def parent(self, level):
        pid = (self.dir / level / "pids").read_text().split()[1]
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def __getitem__(self, name):
        return self.env["XINFU_" + name]

    def sender(self, who, count):
        """Whose file, and which records are in it, as options for the load program."""
        subject = run("openssl", "x509", "-in", self[who + "_CERT"], "-noout", "-subject", "-nameopt", "multiline").stdout.decode()
        unit = next(line.split("=")[1].strip() for line in subject.splitlines() if "organizationIdentifier" in line)
        self.first[who] += count
        return [*self.identity(who), "-unit", unit, "-first", str(self.first[who] - count)]

    def identity(self, who="DEPT"):
        return ["-cert", self[who + "_CERT"], "-key", self[who + "_KEY"]]

    def access(self, who="DEPT"):
        return ["-url", self["CITY_URL"], "-ca", self["CA"], *self.identity(who)]

    def curl(self, *options, who="DEPT"):
        return ["curl", "--silent", "--show-error", "--cacert", self["CA"], "--cert", self[who + "_CERT"], "--key",
                self[who + "_KEY"], *options]

    def restart(self, change):
        """The city once more, with its configuration changed; other paths are approved before, or they would not count."""
        path = self.dir / "city" / "xinfu.yaml"
        wanted = self.dir / "wanted.yaml"
        wanted.write_text(change(path.read_text()))
        if "url:" in "\n".join(set(path.read_text().splitlines()) ^ set(wanted.read_text().splitlines())):
            def xinfu(who, *words):
                password = self.dir / "password"
                password.write_text(self[who + "_PASSWORD"])
                return subprocess.run([self.command, *words, "--url", self["CITY_URL"], "--ca", self["CA"], "--cert",
                                       self[who + "_CERT"], "--key", self[who + "_KEY"], "--password-file", password], check=True,
                                      capture_output=True).stdout
            asked = xinfu("SECURITY_ADMIN", "paths", "propose", "--config-file", wanted, "--reason", "bench", "--json")
            xinfu("SYSTEM_ADMIN", "request", "approve", json.loads(asked)["id"])
        os.kill(self.supervisor, 15)
        while pathlib.Path(f"/proc/{self.supervisor}/cmdline").exists() and \
                pathlib.Path(f"/proc/{self.supervisor}/cmdline").read_bytes():
            time.sleep(0.05)
        wanted.replace(path)
        with open(self.dir / "city" / "restarted.log", "ab") as log:
            self.supervisor = subprocess.Popen([pathlib.Path(self.command).parent / "xinfud", "run", "--config", path, "--pid-file",
                                                self.dir / "city" / "pids"], stdout=log, stderr=log).pid
        while not self.metrics().get("xinfu_ready"):
            time.sleep(0.05)

    def metrics(self):
        """The city's gauges and counters; empty while it has none to tell."""
        address = next(line.split('"')[1] for line in (self.dir / "city" / "xinfu.yaml").read_text().splitlines() if "metrics:" in line)
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
            return {name: float(value) for name, value in lines}
        return {}

    def down(self):
        run(self.command, "demo", "down", "--dir", self.dir, check=False)


class Line:
    """A line from one node to another, `milliseconds` long each way, at full rate."""

    def __init__(self, load, address, url, milliseconds):
        self.process = subprocess.Popen([load, "line", "-listen", address, "-url", url.removeprefix("https://"), "-delay",
                                         f"{milliseconds}ms"], stdin=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def slow_syncs(work):
    """A copy of the programs whose vault waits 5 ms more at every fdatasync and fsync; returns its command."""
    place, library = work / "slow", work / "slow_sync.so"
    run("cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).with_name("slow_sync.c"), "-ldl")
    preload(pathlib.Path(os.environ["XINFU_BIN"]), place, library)
    return str(place / "xinfu")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """WebDAV PUT with client certificates. It checks nothing and syncs nothing."""

    def __init__(self, work, anchor):
        self.dir = work / "nginx"
        for name in ("www", "temporary"):
            (self.dir / name).mkdir(parents=True)
        self.port = free_port()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=peer", "-days", "2",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem")
        paths = "".join(f"{name}_temp_path {self.dir}/temporary/{name};\n"
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.dir / "nginx.conf").write_text(f"""
daemon off; pid {self.dir}/pid; error_log {self.dir}/error.log; worker_processes {os.cpu_count()};
{'user root;' if os.geteuid() == 0 else ''}
events {{ worker_connections 512; }}
http {{ access_log off; {paths}
server {{ listen 127.0.0.1:{self.port} ssl; ssl_protocols TLSv1.2 TLSv1.3;
ssl_certificate {self.dir}/cert.pem; ssl_certificate_key {self.dir}/key.pem; ssl_client_certificate {anchor}; ssl_verify_client on;
client_max_body_size 0; root {self.dir}/www; location / {{ dav_methods PUT; }} }} }}
""")
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-e", self.dir / "error.log", "-c",
                                         self.dir / "nginx.conf"], stderr=subprocess.DEVNULL)
        for _ in range(50):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                break
            time.sleep(0.1)

    def down(self):
        self.process.terminate()
        self.process.wait()


class Postgres:
    """PostgreSQL as Debian packages it, with fsync and synchronous_commit on and room to breathe."""

    def __init__(self, work):
        self.bin = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.dir = work / "postgres"
        self.dir.mkdir()
        self.prefix, self.port = [], free_port()
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.dir, owner.pw_uid, owner.pw_gid)
            self.prefix = ["runuser", "-u", "postgres", "--"]
        self.call(self.bin / "initdb", "--pgdata", self.dir / "data", "--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "trust")
        settings = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "1GB", "max_wal_size": "8GB",
                    "maintenance_work_mem": "256MB", "checkpoint_timeout": "30min", "listen_addresses": "",
                    "unix_socket_directories": self.dir, "port": self.port}
        self.process = subprocess.Popen(
            [*self.prefix, str(self.bin / "postgres"), "-D", str(self.dir / "data"),
             *[part for name, value in settings.items() for part in ("-c", f"{name}={value}")]],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self.call(self.bin / "pg_isready", "-h", self.dir, "-p", self.port, check=False).returncode == 0:
                break
            time.sleep(0.1)

    def call(self, *command, check=True):
        return run(*self.prefix, *command, check=check, cwd="/")

    def sql(self, text):
        return self.call(self.bin / "psql", "-h", self.dir, "-p", self.port, "-d", "postgres", "-qtAX", "-v", "ON_ERROR_STOP=1", "-c",
                         text).stdout.decode().strip()

    def down(self):
        with contextlib.suppress(RuntimeError):
            self.call(self.bin / "pg_ctl", "stop", "-D", self.dir / "data", "-m", "fast")
        self.process.wait()

"""A Debian machine with a node on it: a container booted by systemd-nspawn, with the files that `cmake --install` places,
the units as they are committed, and a node made by `xinfu init` the way docs/CONFIGURATION.md says. Its network is a
namespace of its own, so that its ports are nobody else's; `outside` runs a command there.

Needs root. What is started here is ended here, by id."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("XINFU_BUILD", ROOT / "build" / "release"))
XINFU = BUILD / "bin" / "xinfu"
UNIT = "112199000000000198"
PERSONS = ("security_administrator", "approver", "system_administrator", "auditor", "viewer")
URL = "https://127.0.0.1:8443"


def run(*command, check=True, timeout=300, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=timeout, text=True, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(condition, timeout=60, every=0.2, what="condition"):
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(every)
    return value


class Machine:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="xinfu-systemd-", dir="/var/tmp"))
        self.tree = self.home / "tree"
        self.namespace = self.home.name[-12:].lower().replace("_", "0").replace("-", "0")
        self.container = None
        base = run("bash", HERE / "tree.sh", BUILD, timeout=1800).stdout.strip()
        run("cp", "-a", base, self.tree)
        run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": str(self.tree)})
        run("systemd-sysusers", f"--root={self.tree}")
        self.make_node()
        run("systemctl", f"--root={self.tree}", "enable", "xinfu.target")
        (self.tree / "etc" / "machine-id").write_text("")
        run("ip", "netns", "add", self.namespace)
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")

    def make_node(self):
        work = self.home
        authority = ("--dir", work / "ca")
        run(XINFU, "ca", "init", *authority, "--name", "test authority")
        issue = (XINFU, "ca", "issue", *authority, "--unit", UNIT, "--organization", "示例局")
        for number, person in enumerate(PERSONS):
            run(*issue, "--key", work / f"{person}.key", "--out", work / f"{person}.pem", "--cn", person,
                "--person", f"P-{number}")
        run(*issue, "--key", work / "dept.key", "--out", work / "dept.pem", "--cn", "dept")
        persons = [word for person in PERSONS for word in ("--person", f"{person}={work / person}.pem")]
        made = run(XINFU, "init", "--dir", work / "node", "--node", "city", *persons, "--machine",
                   f"submitter={work / 'dept.pem'}", "--url-host", "127.0.0.1", "--ca", work / "ca" / "ca.pem",
                   "--json").stdout
        self.log_key = json.loads(made)["log_key"]
        state, etc = self.tree / "var/lib/xinfu", self.tree / "etc/xinfu"
        shutil.copytree(work / "node" / "state", state)
        for request in ("tls", "parcel"):
            run(XINFU, "ca", "issue", *authority, "--csr", work / "node" / f"{request}.csr", "--cn", f"city {request}",
                "--host", "127.0.0.1", "--out", state / "certificates" / f"{request}.pem")
        (etc / "keys").mkdir(parents=True, mode=0o700)
        shutil.copy(work / "node" / "key-wrapping-key", etc / "keys")
        text = (work / "node" / "xinfu.yaml").read_text().replace("state: state\n", "state: /var/lib/xinfu\n")
        (etc / "xinfu.yaml").write_text(text)
        run("chroot", self.tree, "chown", "-R", "xinfu-vault:xinfu-vault", "/var/lib/xinfu")
        state.chmod(0o700)

    # ---- power ---------------------------------------------------------------------------------------------
    def boot(self):
        with open(self.home / "console.log", "ab") as log:
            self.container = self.start(log)
        self.init = wait_until(self.find_init, what="the container's first process")
        wait_until(lambda: self.inside("systemctl", "is-system-running", check=False).stdout.strip()
                   in ("running", "degraded"), what="the machine's start")

    def start(self, log):
        return subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", "--directory", str(self.tree), "--machine", self.namespace,
             "--register=no", "--keep-unit", f"--network-namespace-path=/run/netns/{self.namespace}", "--console=pipe",
             # The walls of every process: nspawn's own filter does not know Landlock.
             "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def find_init(self):
        children = pathlib.Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children")
        for child in children.read_text().split():
            if "systemd" in pathlib.Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        return None

    def power_cut(self):
        """Everything in the container dies at this instant."""
        os.kill(self.init, signal.SIGKILL)
        self.container.wait(30)

    def power_off(self):
        self.inside("systemctl", "poweroff", check=False)
        self.container.wait(120)

    def destroy(self):
        if self.container is not None and self.container.poll() is None:
            self.power_cut()
        run("ip", "netns", "del", self.namespace, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    # ---- use ---------------------------------------------------------------------------------------------
    def inside(self, *command, check=True, **more):
        return run("nsenter", "-t", self.init, "-a", *command, check=check, **more)

    def outside(self, *command, check=True, **more):
        return run("ip", "netns", "exec", self.namespace, *command, check=check, **more)

    def property(self, unit, name):
        return self.inside("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def journal(self, *arguments):
        text = self.inside("journalctl", "--no-pager", "--output=json", *arguments).stdout
        return [json.loads(line) for line in text.splitlines()]

    def curl(self, path, *more, who="dept"):
        """Status and body."""
        body = self.home / "answer"
        body.unlink(missing_ok=True)
        done = self.outside("curl", "-sS", "--cacert", self.home / "ca" / "ca.pem", "--cert", self.home / f"{who}.pem", "--key",
                            self.home / f"{who}.key", "-o", body, "-w", "%{http_code}", *more, URL + path, check=False)
        return int(done.stdout or 0), body.read_bytes() if body.exists() else b"", done.stderr

    def put(self, file, name):
        return self.curl(f"/v1/submissions/administrative-penalty/{name}", "-T", file)

    def sign(self, content):
        source, target = self.home / "content.csv", self.home / f"file-{time.monotonic_ns()}.p7m"
        source.write_bytes(content)
        run("openssl", "cms", "-sign", "-binary", "-nodetach", "-stream", "-in", source, "-signer", self.home / "dept.pem",
            "-inkey", self.home / "dept.key", "-outform", "DER", "-out", target)
        return target

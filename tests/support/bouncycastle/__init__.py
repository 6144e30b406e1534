"""Bouncy Castle as a tool: Forms.java, compiled once for a test class."""
import pathlib

from tests.support.demo import run

CLASSPATH = ":".join(f"/usr/share/java/{name}.jar" for name in ("bcpkix", "bcprov", "bcutil"))


class BouncyCastle:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        run("javac", "-cp", CLASSPATH, "-d", self.folder, pathlib.Path(__file__).with_name("Forms.java"))

    def __call__(self, *arguments):
        run("java", "-cp", f"{CLASSPATH}:{self.folder}", "Forms", *arguments)

"""Programs on Go's sumdb packages, which know nothing of ours."""
import pathlib

from tests.support.demo import run


def build(out, program="verifier"):
    run("bash", pathlib.Path(__file__).resolve().parent / "verifier" / "build.sh", out, program)
    return out

"""Programs of a node with a library of ours in some of them."""
import shutil


def preload(programs, place, library, into=("vault",)):
    """Copies `programs` to `place`. The supervisor hands no environment on, so that a program of ours stands in the place of
    each of `into` and becomes it."""
    place.mkdir(exist_ok=True)
    place.chmod(0o755)  # the nodes' users load from it
    for name in ("xinfu", "xinfud", "xinfu-gateway", "xinfu-inspector", "xinfu-vault", "xinfu-courier"):
        shutil.copy(programs / name, place)
    for program in into:
        (place / f"xinfu-{program}").rename(place / f"xinfu-{program}-itself")
        shutil.copy(programs / "preloaded", place / f"xinfu-{program}")
        shutil.copy(library, place / f"xinfu-{program}-preload.so")

"""Programs of a node whose vault has a library of ours in it."""
import shutil


def preload_vault(programs, place, library):
    """Copies `programs` to `place`. The supervisor hands no environment on, so that a program of ours stands in the vault's
    place and becomes it."""
    place.mkdir(exist_ok=True)
    place.chmod(0o755)  # the vault's user loads from it
    for name in ("xinfu", "xinfud", "xinfu-gateway", "xinfu-inspector", "xinfu-courier"):
        shutil.copy(programs / name, place)
    shutil.copy(programs / "preloaded", place / "xinfu-vault")
    shutil.copy(programs / "xinfu-vault", place / "xinfu-vault-itself")
    shutil.copy(library, place / "xinfu-vault-preload.so")

"""Pythons of this machine, or of a minimal Debian that is made for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed import debian

# No release of Debian has 3.12.
_SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "sid"}
_PROBE = "import ensurepip, venv, platform, sys; print(platform.python_version(), sys.executable)"
# The mounts are made in a mount namespace, so they end with the command.
_IN_ROOT = ["unshare", "--mount", "--propagation=private", "sh", "-ec"]
_IN_ROOT += ['for each in proc sys dev; do mount --rbind "/$each" "$1/$each"; done; exec chroot "$@"', "sh"]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: `version` in full, `path` as seen from within `root`, which is `/` or that of a Debian."""

    version: str
    path: str
    root: Path = Path("/")

    @property
    def origin(self) -> str:
        """Where it is from, for people."""
        return self.path if self.root == Path("/") else f"Debian {self.root.name}"

    @property
    def enter(self) -> list[str]:
        """What to put before a command so that it runs within `root`."""
        return [] if self.root == Path("/") else [*_IN_ROOT, str(self.root)]


def find_installed(version: str, path: str, pyenv: Path) -> Interpreter | None:
    """The first `python3.X` of `path` or else of the newest version of pyenv that can make environments."""
    releases = [folder for folder in pyenv.glob(f"{version}.*") if folder.suffix[1:].isdecimal()]
    releases.sort(key=lambda folder: int(folder.suffix[1:]), reverse=True)
    folders = [*path.split(os.pathsep), *(f"{folder}/bin" for folder in releases)]
    for candidate in (Path(folder, f"python{version}") for folder in folders if folder):
        if os.access(candidate, os.X_OK):
            done = subprocess.run([candidate, "-c", _PROBE], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                full, executable = done.stdout.strip().split(" ", 1)
                return Interpreter(full, executable)
    return None


def bootstrap(version: str, folder: Path) -> Interpreter:
    """The `python3.X` of a Debian in `folder`, which is made where it is missing.

    Raises the errors of `testbed.debian`.
    """
    suite = _SUITES.get(version)
    if suite is None:
        raise debian.UnavailableError("neither on PATH nor in ~/.pyenv, and no release of Debian has it")
    root = folder / suite
    if not root.exists():
        unfinished = root.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        debian.bootstrap(suite, unfinished, [f"python{version}-venv", "make"])
        unfinished.rename(root)
    path = f"/usr/bin/python{version}"
    probe = ["chroot", str(root), path, "-c", _PROBE]
    done = subprocess.run(probe, capture_output=True, text=True, check=True)
    return Interpreter(done.stdout.split(" ")[0], path, root)

"""Minimal Debian systems, made with debootstrap from the mirror that apt-get of this machine uses."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class UnavailableError(Exception):
    """This machine lacks what debootstrap needs; the text says what."""


class BootstrapError(Exception):
    """A command failed; the text has the end of its output."""


def bootstrap(suite: str, root: Path, packages: Sequence[str] = ()) -> None:
    """Install a release of Debian with these further packages in `root`, a folder that is empty or missing.

    Raises UnavailableError and BootstrapError.
    """
    if os.geteuid() != 0:
        raise UnavailableError("only root can run debootstrap")
    if not _KEYRING.exists():
        raise UnavailableError(f"debootstrap needs {_KEYRING}")
    debootstrap, mirror = _find("debootstrap"), _mirror()
    environment = os.environ | {"DEBOOTSTRAP_DIR": str(Path(debootstrap).parents[1] / "share/debootstrap")}
    include = [f"--include={','.join(packages)}"] if packages else []
    options = ["--variant=minbase", f"--keyring={_KEYRING}", *include]
    _run([debootstrap, *options, suite, str(root), mirror], environment)


def _mirror() -> str:
    """The mirror of this machine's own release, without those of security and other updates."""
    listing = [_find("apt-get"), "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"]
    for line in _run(listing).splitlines():
        site, release, component = line.split()
        if component == "main" and "-" not in release and "/" not in release:
            return site
    raise UnavailableError("apt-get has no mirror of Debian")


def _find(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"{name} is not on PATH")
    return path


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise BootstrapError(f"{' '.join(command)} ended with {done.returncode}:\n{output}")
    return done.stdout

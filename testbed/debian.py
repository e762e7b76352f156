"""Releases of Debian from the mirror of this machine's apt-get: minimal systems, and single packages."""

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


class Packages:
    """The packages of a release, whatever this machine has: what apt-get knows of them lies in a folder."""

    def __init__(self, suite: str, folder: Path) -> None:
        """Fetch the lists into `folder`, which is made. Raises UnavailableError and BootstrapError."""
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / name).mkdir(parents=True)
        # Nothing is installed, so that all that a package needs is named.
        (folder / "status").write_text("")
        (folder / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": folder / "parts",
            "Dir::Etc::Preferences": os.devnull,
            "Dir::Etc::PreferencesParts": folder / "parts",
            "Dir::State::Lists": folder / "lists",
            "Dir::State::Status": folder / "status",
            "Dir::Cache": folder / "cache",
            # Of a release that is out of support the lists have expired.
            "Acquire::Check-Valid-Until": "false",
            "APT::Sandbox::User": "root",
        }
        options = (f"--option={name}={value}" for name, value in settings.items())
        self._apt = [_find("apt-get"), "-qq", *options]
        self._folder = folder
        _run([*self._apt, "update"])

    def needed(self, package: str) -> list[str]:
        """Return a package and all that it needs, in the order of installation. Raises BootstrapError."""
        plan = _run([*self._apt, "--simulate", "--no-install-recommends", "install", package])
        return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]

    def unpack(self, packages: Sequence[str], root: Path) -> None:
        """Fetch packages and put their files below `root`. Raises UnavailableError and BootstrapError."""
        archives = self._folder / "archives"
        archives.mkdir()
        _run([*self._apt, "download", *packages], folder=archives)
        for archive in sorted(archives.glob("*.deb")):
            _run([_find("dpkg-deb"), "--extract", str(archive), str(root)])
        shutil.rmtree(archives)


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


def _run(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise BootstrapError(f"{' '.join(command)} ended with {done.returncode}:\n{output}")
    return done.stdout

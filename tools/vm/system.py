"""The Debian that a virtual machine boots, with the project in /project: a file system that is made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed import debian
from tools import pythons

PROJECT = Path(__file__).resolve().parents[2]
_FILES = Path(__file__).parent / "files"
# What the machine itself needs: a first process, modules of its kernel, and what makes its first file system.
_BASE = (
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "procps",
    "iproute2",
    "python3-venv",
    "busybox-static",
    "cpio",
)
_SIZE = "8G"
_REACHING_MIRRORS = ("Acquire::http", "Acquire::https")
# Services that are of no use without a network and a user.
_MASKED = (
    "timers.target",
    "systemd-timesyncd.service",
    "systemd-networkd-wait-online.service",
    "getty.target",
)


@dataclass(frozen=True, slots=True)
class System:
    """A release of Debian with further packages, and `newer` ones by the release that has them.

    `python` is the version that the release itself has.
    """

    suite: str
    python: str
    packages: Sequence[str] = ()
    newer: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What it is made from, as a short text: a system with another key is another one."""
        content = json.dumps([asdict(self), _BASE, _MASKED]).encode()
        for file in (*sorted(_FILES.iterdir()), *sorted(PROJECT.glob("locks/*.txt"))):
            content += file.read_bytes()
        return hashlib.sha256(content).hexdigest()[:16]


PLAIN = System("trixie", "3.13", packages=("bpftrace",))
# trixie has Docker 26 and containerd 1.7. Their programs of sid need no newer library.
ENGINES = System(
    "trixie",
    "3.13",
    packages=(
        *(
            "podman",
            "crun",
            "netavark",
            "aardvark-dns",
            "passt",
            "uidmap",
            "fuse-overlayfs",
            "dbus-user-session",
        ),
        *("lxc", "systemd-container", "iptables", "nftables", "ca-certificates", "docker-compose"),
    ),
    newer={"sid": ("docker.io", "docker-cli", "containerd", "runc")},
)
SYSTEMS = {"plain": PLAIN, "engines": ENGINES}


@dataclass(frozen=True, slots=True)
class Installed:
    """A system on this machine: as a folder, which chroot(8) enters, and as a disk."""

    root: Path
    disk: Path

    def run(self, *command: str, folder: Path | None = None) -> str:
        """Return what a command prints that runs in it; raises debian.BootstrapError."""
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        inside = ["env", f"--chdir={folder or '/'}", *command]
        done = subprocess.run(
            ["chroot", str(self.root), *inside], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise debian.BootstrapError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


def install(system: System, cache: Path) -> Installed:
    """Return a system from the cache; one that is not there is made, which needs the mirror.

    Raises debian.UnavailableError and debian.BootstrapError.
    """
    folder = cache / f"system-{system.key}"
    installed = Installed(folder / "root", folder / "disk.ext4")
    if not installed.disk.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        debian.bootstrap(system.suite, installed.root, _BASE)
        _add_packages(installed, system)
        _add_project(installed, system)
        _add_units(installed)
        make_disk(installed.root, installed.disk, _SIZE)
    return installed


def make_disk(content: Path, disk: Path, size: str) -> None:
    """Write a disk with the files in `content`; it appears when it is complete."""
    new = disk.with_suffix(".new")
    new.unlink(missing_ok=True)
    command = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(content), str(new), size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise debian.BootstrapError(f"mke2fs: {done.stderr}")
    new.rename(disk)


def _add_packages(installed: Installed, system: System) -> None:
    # A package that is installed here must start nothing here.
    policy = installed.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    # As apt-get of this machine reaches its mirror, and however old that mirror is.
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in settings.splitlines() if line.startswith(_REACHING_MIRRORS)]
    lines.append('Acquire::Check-Valid-Until "false";')
    (installed.root / "etc/apt/apt.conf.d/90machine").write_text("\n".join([*lines, ""]))
    apt = ("apt-get", "-qq", "--yes", "--no-install-recommends")
    if system.packages:
        installed.run("apt-get", "-qq", "update")
        installed.run(*apt, "install", *system.packages)
    sources = installed.root / "etc/apt/sources.list"
    listed = sources.read_text()
    for suite, packages in system.newer.items():
        sources.write_text(listed + listed.replace(system.suite, suite, 1))
        # Other packages stay those of the release.
        preferences = installed.root / "etc/apt/preferences.d/newer"
        preferences.write_text(f"Package: *\nPin: release n={suite}\nPin-Priority: 100\n")
        installed.run("apt-get", "-qq", "update")
        installed.run(*apt, "install", *(f"{package}/{suite}" for package in packages))
    sources.write_text(listed)
    installed.run("apt-get", "clean")
    shutil.rmtree(installed.root / "var/lib/apt/lists")


def _add_project(installed: Installed, system: System) -> None:
    """Install the packages of the locks; the project's own files come with each command."""
    wheels = installed.root / "wheels"
    wheels.mkdir()
    pythons.download(system.python, wheels)
    project = Path("/project")
    (installed.root / "project").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "exporter/__init__.py"):
        to = installed.root / "project" / name
        to.parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, to)
    installed.run("python3", "-m", "venv", ".venv", folder=project)
    pip = (".venv/bin/pip", "-qq", "install", "--no-index", "--no-deps", "--root-user-action=ignore")
    installed.run(*pip, *(f"/wheels/{wheel.name}" for wheel in wheels.iterdir()), folder=project)
    installed.run(*pip, "--no-build-isolation", "--editable", ".", folder=project)
    installed.run(".venv/bin/python", "-m", "compileall", "-qq", ".venv/lib", folder=project)
    shutil.rmtree(wheels)


def _add_units(installed: Installed) -> None:
    etc = installed.root / "etc"
    shutil.copy(_FILES / "command.service", etc / "systemd/system")
    shutil.copy(_FILES / "command", installed.root / "usr/local/sbin/run-command")
    (installed.root / "usr/local/sbin/run-command").chmod(0o755)
    for unit in _MASKED:
        (etc / "systemd/system" / unit).symlink_to("/dev/null")
    (etc / "hostname").write_text("machine\n")
    (etc / "hosts").write_text("127.0.0.1 localhost machine\n::1 localhost machine\n")
    # Its kernel's modules lie on a disk of their own.
    (installed.root / "usr/lib/modules").mkdir(exist_ok=True)

"""A base image as Debian's, made here: no registry of images can be asked, only that of packages."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from testbed import programs

_KEPT = Path(__file__).resolve().parents[3] / ".debian"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_CERTIFICATES = "/etc/certificates-of-this-machine.crt"
# What this machine needs to reach packages; the rest of its configuration is nobody else's business.
_APT = ("Acquire::http", "Acquire::https", "Acquire::Check")
_PIP = {"global.index-url", "global.extra-index-url", "global.trusted-host", "global.proxy"}


def archive(release: str) -> Path:
    """The files of a minimal Debian of this release; made once, then kept in .debian."""
    kept = _KEPT / f"base-{release}.tar"
    if not kept.exists():
        _KEPT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="base-") as folder:
            root, new = Path(folder, "root"), _KEPT / f"base-{release}.tar.{os.getpid()}"
            _install(release, root)
            # Official images have neither; a build that leaves them behind must not hide behind its base.
            for left in ("var/cache/apt", "var/lib/apt/lists"):
                shutil.rmtree(root / left)
                (root / left).mkdir()
            _run([programs.find("tar"), "--directory", str(root), "--create", "--file", str(new), "."])
            # At once: others may run the same test in the same folder.
            new.rename(kept)
    return kept


def build_options(folder: Path) -> list[str]:
    """Options with which a build reaches the registries as this machine does; files go to `folder`.

    They are mounts for the time of the build, so that the image knows nothing of them.
    """
    apt, pip = folder / "apt.conf", folder / "pip.conf"
    settings = _run([programs.find("apt-config"), "dump"]).splitlines()
    apt.write_text("\n".join(line for line in settings if line.startswith(_APT)) + "\n")
    lines = ["[global]"]
    mounts = {apt: "/etc/apt/apt.conf.d/99machine", pip: "/etc/pip.conf"}
    for key, value in _pip_settings().items():
        if key == "global.cert":
            mounts[Path(value)] = _CERTIFICATES
            lines.append(f"cert = {_CERTIFICATES}")
        elif key in _PIP and "file:" not in value:
            lines.append(f"{key.removeprefix('global.')} = {value}")
    pip.write_text("\n".join(lines) + "\n")
    return [f"--volume={here}:{there}:ro" for here, there in mounts.items()]


def _install(release: str, root: Path) -> None:
    if not _KEYRING.exists():
        pytest.skip(f"no base image can be made without {_KEYRING}")
    debootstrap = programs.find("debootstrap")
    environment = os.environ | {"DEBOOTSTRAP_DIR": str(Path(debootstrap).parents[1] / "share/debootstrap")}
    command = [debootstrap, "--variant=minbase", f"--keyring={_KEYRING}", release, str(root), _mirror()]
    _run(command, environment)


def _mirror() -> str:
    """Where this machine's own packages come from, security and other additions aside."""
    listing = [programs.find("apt-get"), "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"]
    for line in _run(listing).splitlines():
        site, release, component = line.split()
        if component == "main" and "-" not in release and "/" not in release:
            return site
    pytest.skip("apt-get knows no mirror of Debian")


def _pip_settings() -> dict[str, str]:
    lines = _run([sys.executable, "-m", "pip", "config", "list"]).splitlines()
    found = {key: str(ast.literal_eval(value)) for key, _, value in (line.partition("=") for line in lines)}
    # The environment speaks last, and its settings are for every command.
    return {f"global.{key.rpartition('.')[2]}": value for key, value in found.items()}


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout

"""A minimal Debian as the base of images, made with debootstrap, so that no image registry is needed.

`python -m tests.deploy.image.base` makes those that are not in .debian yet.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed import debian, programs

# The Debian releases on which the image is built.
RELEASES = ("bookworm", "trixie")

_CACHE = Path(__file__).resolve().parents[3] / ".debian"
_CERTIFICATES = "/etc/host-certificates.crt"
# The settings that a build needs to reach the package registries as this machine does.
_APT = ("Acquire::http", "Acquire::https", "Acquire::Check")
_PIP = {"global.index-url", "global.extra-index-url", "global.trusted-host", "global.proxy"}


def archive(release: str) -> Path:
    """A tar archive of a minimal Debian of this release; made once, then cached in .debian.

    Raises debian.UnavailableError where it cannot be made on this machine.
    """
    cached = _CACHE / f"base-{release}.tar"
    if not cached.exists():
        _CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="base-") as folder:
            root, new = Path(folder, "root"), _CACHE / f"base-{release}.tar.{os.getpid()}"
            debian.bootstrap(release, root)
            # Official images have neither; with them, a test could not tell what a build left behind.
            for emptied in ("var/cache/apt", "var/lib/apt/lists"):
                shutil.rmtree(root / emptied)
                (root / emptied).mkdir()
            _run([programs.find("tar"), "--directory", str(root), "--create", "--file", str(new), "."])
            # Renamed when complete, since another test process may make the same archive.
            new.rename(cached)
    return cached


def build_options(folder: Path) -> list[str]:
    """Options of `buildah build` that give it this machine's settings of apt and pip, written to `folder`.

    The settings are mounted during the build, so that the image does not contain them.
    """
    apt, pip = folder / "apt.conf", folder / "pip.conf"
    settings = _run([programs.find("apt-config"), "dump"]).splitlines()
    apt.write_text("\n".join(line for line in settings if line.startswith(_APT)) + "\n")
    lines = ["[global]"]
    mounts = {apt: "/etc/apt/apt.conf.d/99host", pip: "/etc/pip.conf"}
    for key, value in _pip_settings().items():
        if key == "global.cert":
            mounts[Path(value)] = _CERTIFICATES
            lines.append(f"cert = {_CERTIFICATES}")
        elif key in _PIP and "file:" not in value:
            lines.append(f"{key.removeprefix('global.')} = {value}")
    pip.write_text("\n".join(lines) + "\n")
    return [f"--volume={source}:{target}:ro" for source, target in mounts.items()]


def _pip_settings() -> dict[str, str]:
    lines = _run([sys.executable, "-m", "pip", "config", "list"]).splitlines()
    found = {key: str(ast.literal_eval(value)) for key, _, value in (line.partition("=") for line in lines)}
    # pip lists environment variables last, since they override its files; `:env:` becomes `global`.
    return {f"global.{key.rpartition('.')[2]}": value for key, value in found.items()}


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def _make(release: str) -> None:
    try:
        archive(release)
    except debian.UnavailableError as error:
        sys.stderr.write(f"{error}, so tests of the image on {release} are skipped\n")


if __name__ == "__main__":
    with ThreadPoolExecutor() as threads:
        list(threads.map(_make, RELEASES))

"""The wheel and the sdist install in an empty environment, and what they install works."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from testbed import privileges

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "locks" / "run.txt"
# What a package may hold at its top; tests, benchmarks and the rest stay in the repository.
_IN_SDIST = {"exporter", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}


def run(*command: str | Path) -> str:
    """Run a command to its end, outside of the repository's folder, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        preexec_fn=privileges.stay_at_home,  # tests have one thread
    )
    if done.returncode != 0:
        pytest.fail(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


def only(folder: Path, pattern: str) -> Path:
    """The one file of this pattern."""
    (found,) = folder.glob(pattern)
    return found


def test_the_sdist_holds_the_exporter_and_nothing_else(built: Path) -> None:
    with tarfile.open(only(built, "*.tar.gz")) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames()}
    assert tops == _IN_SDIST


def test_the_wheel_holds_the_exporter_and_says_what_it_is(built: Path) -> None:
    with zipfile.ZipFile(only(built, "*.whl")) as archive:
        names = archive.namelist()
        told = email.message_from_bytes(archive.read(next(n for n in names if n.endswith("/METADATA"))))
    assert {Path(name).parts[0] for name in names} == {
        "exporter",
        f"listen_queue_exporter-{__version__}.dist-info",
    }
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*.py")} <= set(names)
    assert (told["Name"], told["Version"], told["License-Expression"]) == (
        "listen-queue-exporter",
        __version__,
        "Apache-2.0",
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def test_it_installs_and_runs_in_an_empty_environment(built: Path, tmp_path: Path, pattern: str) -> None:
    run(sys.executable, "-m", "venv", tmp_path)
    python, command = tmp_path / "bin" / "python", tmp_path / "bin" / "listen-queue-exporter"
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*install, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK)
    # An sdist is built with what builds this project; to fetch that anew would test somebody else's server.
    builder = Path(sys.executable).with_name("pip")
    if pattern == "*.whl":
        run(*install, "--no-deps", "--no-index", only(built, pattern))
    else:
        wheels = tmp_path / "wheels"
        run(builder, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, only(built, pattern))
        run(*install, "--no-deps", "--no-index", only(wheels, "*.whl"))
    assert run(command, "--version").startswith(f"listen-queue-exporter {__version__} ")
    assert isinstance(json.loads(run(command, "show", "--json")), list)
    assert "listen_queue_exporter_build_info{" in run(command, "show", "--prometheus")
    # Every requirement that the package declares is met by what the lock installed.
    run(python, "-m", "pip", "check")

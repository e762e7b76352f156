"""The wheel and the sdist install in an empty environment, and what they install works and has types."""

from __future__ import annotations

import email
import json
import re
import socket
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from testbed import privileges

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "locks" / "run.txt"
# The top of the sdist; tests, benchmarks and the rest are in the repository only.
_IN_SDIST = {"exporter", "deploy", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}

# Where shells and man look below the prefix of an installation, and which file of deploy/ that is.
_SHARED = {
    "bash-completion/completions/listen-queue-exporter": "completion/listen-queue-exporter",
    "zsh/site-functions/_listen-queue-exporter": "completion/_listen-queue-exporter",
    "fish/vendor_completions.d/listen-queue-exporter.fish": "completion/listen-queue-exporter.fish",
    "man/man1/listen-queue-exporter.1": "man/listen-queue-exporter.1",
}

# One worker builds the wheel and the sdist once.
pytestmark = pytest.mark.xdist_group("package")


def run(*command: str | Path) -> str:
    """Run a command outside of the repository, and return what it printed; fails the test where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        preexec_fn=privileges.deny_other_namespaces,  # tests have one thread
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


def test_the_wheel_holds_the_exporter_and_its_metadata(built: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(only(built, "*.whl")) as archive:
        names = archive.namelist()
        metadata = email.message_from_bytes(archive.read(next(n for n in names if n.endswith("/METADATA"))))
    assert {Path(name).parts[0] for name in names} == {
        "exporter",
        f"listen_queue_exporter-{__version__}.dist-info",
        f"listen_queue_exporter-{__version__}.data",
    }
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*.py")}
    read = {"exporter/py.typed", "exporter/status_page/page.css", "exporter/status_page/page.js"}
    assert modules | read <= set(names)
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        project["name"],
        __version__,
        project["license"],
    )
    assert metadata.get_all("Project-URL") == [f"{name}, {url}" for name, url in project["urls"].items()]
    assert metadata.get_all("Classifier") == project["classifiers"]


def test_mypy_uses_the_types_of_the_installed_package(built: Path, tmp_path: Path) -> None:
    environment, program = tmp_path / "environment", tmp_path / "program.py"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    install = (sys.executable, "-m", "pip", "--quiet", "--python", environment, "install")
    run(*install, "--no-deps", "--no-index", only(built, "*.whl"))
    program.write_text("from exporter import __version__\n\nversion: int = __version__\n")

    def errors() -> str:
        options = ("--config-file=", f"--python-executable={environment / 'bin/python'}")
        command = (sys.executable, "-m", "mypy", *options, f"--cache-dir={tmp_path / 'cache'}", str(program))
        return subprocess.run(
            command, cwd="/", capture_output=True, text=True, check=False, timeout=60
        ).stdout

    assert "[assignment]" in errors()
    (marker,) = environment.glob("lib/python3*/site-packages/exporter/py.typed")
    marker.unlink()
    assert "[import-untyped]" in errors()


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def test_it_installs_and_runs_in_an_empty_environment(built: Path, tmp_path: Path, pattern: str) -> None:
    run(sys.executable, "-m", "venv", tmp_path)
    python, command = tmp_path / "bin" / "python", tmp_path / "bin" / "listen-queue-exporter"
    install = (python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check")
    run(*install, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK)
    # The build requirements are those of this environment: downloading them would test the registry.
    builder = Path(sys.executable).with_name("pip")
    if pattern == "*.whl":
        run(*install, "--no-deps", "--no-index", only(built, pattern))
    else:
        wheels = tmp_path / "wheels"
        run(builder, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, only(built, pattern))
        run(*install, "--no-deps", "--no-index", only(wheels, "*.whl"))
    assert run(command, "--version").startswith(f"listen-queue-exporter {__version__} ")
    for installed, source in _SHARED.items():
        assert (tmp_path / "share" / installed).read_text() == (ROOT / "deploy" / source).read_text()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, port = listener.getsockname()
        shown = json.loads(run(command, "show", "--json"))
        assert (address, str(port)) in {(each["address"], str(each["port"])) for each in shown}
        page = run(command, "show", "--prometheus")
        assert f'{{address="{address}",netns="host",port="{port}",' in page
    assert re.search(
        rf'^listen_queue_exporter_build_info{{.*version="{__version__}".*}} 1', page, re.MULTILINE
    )
    # Every requirement that the package declares is met by what the lock installed.
    run(python, "-m", "pip", "check")

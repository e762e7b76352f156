"""`make test-pythons`: which Pythons it finds, what it tests, and what it says of each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from testbed import debian
from tools import interpreters, pythons
from tools.interpreters import Interpreter

ROOT = Path(__file__).resolve().parents[2]
UNAVAILABLE = debian.UnavailableError("only root can")
PIP_FAILED = subprocess.CalledProcessError(1, ["pip"], "", "no wheel for 3.14")


def fake_python(folder: Path, version: str, *, status: int = 0) -> Path:
    folder.mkdir(parents=True)
    program = folder / f"python{version.rpartition('.')[0]}"
    program.write_text(f'#!/bin/sh\necho "{version} $0"\nexit {status}\n')
    program.chmod(0o755)
    return program


def test_every_locked_package_works_with_the_first_of_the_oldest_python() -> None:
    """As in Debian 12, which has an older patch of it than most."""
    oldest = f"{pythons.supported()[0]}.0"
    needs = {each.name: each.metadata["Requires-Python"] for each in metadata.distributions()}
    newer = {name: need for name, need in needs.items() if need and not SpecifierSet(need).contains(oldest)}
    assert newer == {}


def test_a_python_on_path_is_taken_before_one_of_pyenv(tmp_path: Path) -> None:
    program = fake_python(tmp_path / "bin", "3.12.1")
    fake_python(tmp_path / "pyenv/3.12.9/bin", "3.12.9")
    path = os.pathsep.join(["", str(tmp_path / "missing"), str(program.parent)])
    found = interpreters.find_installed("3.12", path, tmp_path / "pyenv")
    assert found == Interpreter("3.12.1", str(program))
    assert found.enter == []


def test_a_python_that_cannot_make_environments_is_passed_over(tmp_path: Path) -> None:
    shim = fake_python(tmp_path / "shims", "3.12.1", status=127)
    program = fake_python(tmp_path / "pyenv/3.12.9/bin", "3.12.9")
    found = interpreters.find_installed("3.12", str(shim.parent), tmp_path / "pyenv")
    assert found == Interpreter("3.12.9", str(program))


def test_the_newest_release_of_pyenv_is_taken(tmp_path: Path) -> None:
    for version in ("3.12.9", "3.12.10", "3.1.20"):
        fake_python(tmp_path / version / "bin", version)
    fake_python(tmp_path / "3.12.11rc1" / "bin", "3.12.11")
    found = interpreters.find_installed("3.12", "", tmp_path)
    assert found is not None
    assert found.version == "3.12.10"


def test_none_is_found_where_there_is_none(tmp_path: Path) -> None:
    assert interpreters.find_installed("3.12", str(tmp_path), tmp_path / "pyenv") is None
    with pytest.raises(debian.UnavailableError, match="no release of Debian has it"):
        interpreters.bootstrap("3.12", tmp_path)


def test_a_python_of_debian_runs_within_its_root() -> None:
    python = Interpreter("3.14.0", "/usr/bin/python3.14", Path("/somewhere/sid"))
    assert python.origin == "Debian sid"
    assert python.enter[-1] == "/somewhere/sid"


def test_no_other_python_stands_in_for_the_one_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/venv", tmp_path / "tools")
    # No apt-get, which would be asked to install one.
    environment = {"PATH": str(tmp_path / "bin"), "PYTHON": str(tmp_path / "missing")}
    (tmp_path / "bin").mkdir()
    for name in ("dirname", "id"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    command = [tmp_path / "tools/venv"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 or newer with venv is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_versions_are_those_of_continuous_integration() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert pythons.supported() == workflow["jobs"]["unit"]["strategy"]["matrix"]["python"]


def test_the_oldest_packages_are_the_bounds_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(dependency.split(">=") for dependency in project["dependencies"])
    lock = (ROOT / "locks/oldest.txt").read_text()
    pinned = dict(re.findall(r"^(\S+)==(\S+) ", lock, re.MULTILINE))
    assert pinned.keys() == {canonicalize_name(name) for name in bounds}
    for name, bound in bounds.items():
        assert Version(pinned[canonicalize_name(name)]) == Version(bound), "run `make lock`"


def test_the_oldest_packages_are_installed_after_all_others_and_before_the_tests() -> None:
    first, second, third = pythons.steps(Path("/copy"), "/usr/bin/python3", oldest=True)
    assert first[-1] == ".venv/dev"
    assert second[0] == "/copy/.venv/bin/python"
    assert second[-1] == "--requirement=/copy/locks/oldest.txt"
    assert [third] == pythons.steps(Path("/copy"), "/usr/bin/python3", oldest=False)
    assert third[-1] == "test-unit"


def test_the_copy_has_the_files_of_now_and_nothing_installed(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    for name in (".git/config", ".venv/other", ".debian/usr", "exporter/a.py", "exporter/__pycache__/a.pyc"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    pythons.copy_repository(source, copy, "3.12.1")
    (source / "exporter/a.py").rename(source / "exporter/b.py")
    pythons.copy_repository(source, copy, "3.12.1")
    assert [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()] == [Path("exporter/b.py")]


def test_the_environment_of_the_copy_stays_for_the_same_version(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (copy / ".venv").mkdir(parents=True)
    (copy / ".venv/pyvenv.cfg").write_text("version = 3.12.1\n")
    pythons.copy_repository(source, copy, "3.12.1")
    assert (copy / ".venv").exists()
    pythons.copy_repository(source, copy, "3.12.10")
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("===== 12 passed in 3.21s =====", "12 passed, 0 failed, 0 skipped"),
        (
            "== 3 failed, 2711 passed, 4 skipped, 1 error in 363.69s (0:06:03) ==",
            "2711 passed, 4 failed, 4 skipped",
        ),
        ("make: *** [Makefile:70: .venv/run] Error 1", ""),
    ],
)
def test_the_counts_are_those_of_the_last_line_of_pytest(last: str, expected: str) -> None:
    printed_by_a_test = "" if expected == "" else "===== 1 failed in 0.10s ====="
    output = f"===== FAILURES =====\n{printed_by_a_test}\n{last}\nmake: Leaving directory\n"
    assert pythons.counts(output) == expected


@pytest.mark.parametrize(
    ("outcome", "status", "line"),
    [
        ((True, "Python 3.14.1: 3 passed"), 0, "Python 3.14.1: 3 passed\n"),
        ((False, "Python 3.14.1: 3 failed"), 1, "Python 3.14.1: 3 failed (see {folder}/3.14.log)\n"),
        (UNAVAILABLE, 0, "Python 3.14: not tested: only root can\n"),
        (PIP_FAILED, 1, "Python 3.14: pip failed (see {folder}/3.14.log)\n"),
    ],
)
def test_one_line_for_each_version_and_status_1_for_a_failure(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    outcome: tuple[bool, str] | Exception,
    status: int,
    line: str,
) -> None:
    def run(version: str, _log: Path) -> tuple[bool, str]:
        if version == "3.13":
            return True, "Python 3.13.5: 3 passed"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert pythons.main(["3.14", "3.13"], tmp_path, run) == status
    assert capsys.readouterr().out == line.format(folder=tmp_path) + "Python 3.13.5: 3 passed\n"
    if outcome is PIP_FAILED:
        assert (tmp_path / "3.14.log").read_text() == "no wheel for 3.14"

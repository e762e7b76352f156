"""Runs `make test-unit` with each Python that pyproject.toml names, and prints one line for each.

Usage: python -m tools.pythons [VERSION ...]; exit status 1 where a test failed or could not run.

`oldest` among them is the oldest Python with the oldest packages that pyproject.toml admits; the others have
those of the locks, which are the newest.

A Python is taken from PATH, else from pyenv, else from a minimal Debian of a release that has it, which only
root can make. Each tests a copy of the repository with the packages of the locks. The tests run as nobody
where root runs this and nobody can read the copy.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.tags import platform_tags

from testbed import debian
from tools.interpreters import Interpreter, bootstrap, find_installed

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / ".debian/pythons"
_LEFT_OUT = (".git", ".venv", ".debian", ".*_cache", ".hypothesis", "__pycache__", "build", "dist")
_LOCKS = ("locks/run.txt", "locks/dev.txt")
OLDEST = "oldest"
_OLDEST_LOCK = "locks/oldest.txt"
_NOBODY = 65534
_AS_NOBODY = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]


def supported() -> list[str]:
    """The versions in the classifiers of pyproject.toml, such as `3.11`."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return re.findall(r"Python :: (3\.\d+)\n", "\n".join([*project["classifiers"], ""]))


def download(version: str, folder: Path, locks: Sequence[str] = _LOCKS) -> None:
    """Fill `folder` with the wheels of these locks for this version; raises CalledProcessError."""
    wanted = [f"--python-version={version}", *(f"--platform={tag}" for tag in platform_tags())]
    for lock in locks:
        pip = [sys.executable, "-m", "pip", "-qq", "download", "--require-hashes", "--no-deps"]
        command = [*pip, "--only-binary=:all:", f"--dest={folder}", *wanted, f"--requirement={lock}"]
        subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)


def copy_repository(source: Path, to: Path, version: str) -> None:
    """Make `to` a copy of the repository; its virtual environment stays if it has this version."""
    environment = to / ".venv/pyvenv.cfg"
    keep = environment.exists() and f"version = {version}\n" in environment.read_text()
    for old in to.iterdir() if to.exists() else ():
        if not old.is_dir():
            old.unlink()
        elif not keep or old.name != ".venv":
            shutil.rmtree(old)
    left_out = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(source, to, symlinks=True, ignore=left_out, dirs_exist_ok=True)


def allow_nobody(python: Interpreter, folder: Path) -> bool:
    """Give a folder within `root` to nobody; False where this user may not, or nobody cannot use it."""
    # setpriv starts its command with the rights of root to folders; env is started first and has none.
    command = [*python.enter, *_AS_NOBODY, "env", python.path, "-c", f"import os; os.chdir('{folder}')"]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    outside = python.root / folder.relative_to("/")
    for path in (outside, *outside.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    return True


def run_tests(version: str, log: Path) -> tuple[bool, str]:
    """Whether the tests passed, and the line to print; the output of make is written to `log`."""
    number = supported()[0] if version == OLDEST else version
    python = find_installed(number, os.environ["PATH"], Path.home() / ".pyenv/versions")
    python = python or bootstrap(number, _FOLDER)
    folder = (Path("/tests") if python.enter else _FOLDER) / version
    outside = python.root / folder.relative_to("/")
    download(number, outside / "wheels", (*_LOCKS, _OLDEST_LOCK) if version == OLDEST else _LOCKS)
    copy_repository(_ROOT, outside / "repository", python.version)
    as_nobody = allow_nobody(python, folder / "repository")
    environment = {"PATH": os.environ["PATH"], "HOME": f"{folder}/repository", "LANG": "C.UTF-8"}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{folder}/wheels"}
    before = [*python.enter, *(_AS_NOBODY if as_nobody else [])]
    status = 0
    with log.open("wb") as output:
        for command in steps(folder / "repository", python.path, oldest=version == OLDEST):
            run = [*before, *command]
            done = subprocess.run(run, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
            if status := done.returncode:
                break
    user = "nobody" if as_nobody else getpass.getuser()
    result = counts(log.read_text(errors="backslashreplace")) or f"exited with {status}"
    packages = ", oldest packages" if version == OLDEST else ""
    return status == 0, f"Python {python.version} ({python.origin}, as {user}{packages}): {result}"


def steps(repository: Path, python: str, *, oldest: bool) -> list[list[str]]:
    """Return the commands that run the tests of a copy of the repository."""
    make = ["make", f"--directory={repository}", f"PYTHON={python}"]
    if not oldest:
        return [[*make, "test-unit"]]
    # After all others, since locks/dev.txt has newer ones of some.
    pip = [f"{repository}/.venv/bin/python", "-m", "pip", "-qq", "install", "--require-hashes", "--no-deps"]
    return [
        [*make, ".venv/dev"],
        [*pip, f"--requirement={repository}/{_OLDEST_LOCK}"],
        [*make, "test-unit"],
    ]


def counts(output: str) -> str:
    """How many tests passed, failed and were skipped, from the last line of pytest; empty without one."""
    lines = re.findall(r"^=+ (.*) in [\d.]+s", output, re.MULTILINE)
    if not lines:
        return ""
    found = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", lines[-1])}
    failed = sum(found.get(word, 0) for word in ("failed", "error", "errors"))
    return f"{found.get('passed', 0)} passed, {failed} failed, {found.get('skipped', 0)} skipped"


def main(
    versions: list[str], folder: Path = _FOLDER, run: Callable[[str, Path], tuple[bool, str]] = run_tests
) -> int:
    """Test with these versions, or with all that the project supports; logs are written to `folder`."""
    failed = False
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions or [*supported(), OLDEST]:
        log = folder / f"{version}.log"
        try:
            passed, line = run(version, log)
        except (debian.UnavailableError, debian.BootstrapError) as error:
            print(f"Python {version}: not tested: {error}", flush=True)
            continue
        except subprocess.CalledProcessError as error:
            passed, line = False, f"Python {version}: {error.cmd[0]} failed"
            log.write_text(f"{error.stdout}{error.stderr}")
        print(line if passed else f"{line} (see {log})", flush=True)
        failed |= not passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The executables of the programs that are measured: those in C are compiled, the others are on PATH."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed import ruby

_HERE = Path(__file__).parent
_BUILT = _HERE.parent / "build" / "bench"


class ProgramUnavailableError(Exception):
    """A program is not installed, or failed; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The benchmark's own programs in C."""

    baseline: Path
    baseline_namespaces: Path
    queue_watcher: Path


def compile_all() -> Compiled:
    """Compile the programs in C that have changed. Raises ProgramUnavailableError."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ProgramUnavailableError(
            "no C compiler: cc is not on PATH (the Debian packages are gcc and libc6-dev)"
        )
    _BUILT.mkdir(parents=True, exist_ok=True)
    names = ("baseline", "baseline_namespaces", "queue_watcher")
    return Compiled(*(_compile(compiler, name) for name in names))


def find(name: str) -> str:
    """Return the path of a program. Raises ProgramUnavailableError."""
    path = shutil.which(name)
    if path is None:
        raise ProgramUnavailableError(f"{name} is not on PATH")
    return path


def version(*command: str) -> str:
    """Return the first line of what a program prints as its version, or why there is none."""
    try:
        done = subprocess.run(
            [find(command[0]), *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=ruby.environment(),
        )
    except ProgramUnavailableError as missing:
        return str(missing)
    return next(iter((done.stdout or done.stderr).splitlines()), "unknown")


def _compile(compiler: str, name: str) -> Path:
    source, target = _HERE / f"{name}.c", _BUILT / name
    changed = max(path.stat().st_mtime for path in (source, *_HERE.glob("*.h")))
    if not target.exists() or target.stat().st_mtime < changed:
        done = subprocess.run(
            [compiler, "-O2", "-Wall", "-Wextra", "-o", target, source],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ProgramUnavailableError(f"{compiler} cannot compile {source.name}: {done.stderr.strip()}")
    return target

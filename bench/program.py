"""The programs that are measured: some of our own, built here, and those of others, looked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_BUILT = _HERE.parent / "build" / "bench"
_UNPACKED = _HERE.parent / ".debian" / "usr" / "lib"
# Where Debian's packages of Ruby put what `require` finds, below their root.
_RUBY_PATHS = (
    "ruby/[0-9]*",
    "ruby/vendor_ruby",
    "*-linux-gnu/ruby/[0-9]*",
    "*-linux-gnu/rubygems-integration/*/gems/raindrops-*/lib",
    "*-linux-gnu/rubygems-integration/*/extensions/*/*/raindrops-*",
)


class ProgramMissingError(Exception):
    """A program is not here, or does not run; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Built:
    """Our own programs in C."""

    floor: Path
    floor_namespaces: Path
    watcher: Path


def build() -> Built:
    """Compile our own programs. Raises ProgramMissingError where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ProgramMissingError(
            "no C compiler: cc is not on PATH (the Debian packages are gcc and libc6-dev)"
        )
    _BUILT.mkdir(parents=True, exist_ok=True)
    return Built(*(_compile(compiler, name) for name in ("floor", "floor_namespaces", "watcher")))


def find(name: str) -> str:
    """Return the path of a program. Raises ProgramMissingError."""
    path = shutil.which(name)
    if path is None:
        raise ProgramMissingError(f"{name} is not on PATH")
    return path


def version(*command: str) -> str:
    """Return the first line that a program says of its version, or that it is not here."""
    try:
        done = subprocess.run(
            [find(command[0]), *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=ruby_environment(),
        )
    except ProgramMissingError as missing:
        return str(missing)
    return next(iter((done.stdout or done.stderr).splitlines()), "says nothing of its version")


def ruby_environment() -> dict[str, str]:
    """Return an environment in which Ruby finds packages that were unpacked and not installed."""
    paths: Iterable[Path] = (path for pattern in _RUBY_PATHS for path in sorted(_UNPACKED.glob(pattern)))
    known = os.environ.get("RUBYLIB")
    return {**os.environ, "RUBYLIB": ":".join([*map(str, paths), *([known] if known else [])])}


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
            raise ProgramMissingError(f"{compiler} cannot compile {source.name}: {done.stderr.strip()}")
    return target

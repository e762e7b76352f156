"""The programs of the system that tests compare with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

# The monitoring programs of Debian's newest release (tools/newer_programs).
NEWER: Final = Path(__file__).resolve().parents[1] / ".debian/newer/usr/bin"


def find(name: str) -> str:
    """The path of a program; the test is skipped where there is none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH (make test fetches it where apt-get can)")
    return path


def output(name: str, *arguments: str) -> str:
    """What a program prints; fails with what it said where its exit status is not 0."""
    done = subprocess.run([find(name), *arguments], capture_output=True, text=True, check=False, timeout=100)
    if done.returncode != 0:
        pytest.fail(f"{name} {' '.join(arguments)} exited with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout

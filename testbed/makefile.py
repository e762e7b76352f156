"""The Makefile: what a target runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def recipe(target: str) -> str:
    """The commands of a target, where the environment for development is there."""
    return subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old=.venv/dev", target],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout

"""Commands of a machine in which everything takes ten times as long."""

from __future__ import annotations

import subprocess

import pytest

_SECONDS = 400.0


def output(*command: str) -> str:
    """What a command prints, without white space around; fails the test where its status is not 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} exited with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout.strip()

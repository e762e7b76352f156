"""Packages of npm for tests, fetched once by their lock file."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from testbed import programs

# Not committed; `make clean` removes it.
_INSTALLED: Final = Path(__file__).resolve().parents[1] / ".debian/npm"
_OFFLINE: Final = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH")
_SECONDS: Final = 240


def installed(wanted: Path) -> Path:
    """Return the folder node_modules of the package.json and the lock file in `wanted`.

    The test is skipped where npm is missing or cannot download. Tests that share a lock have to run in one
    worker: npm writes into one folder, which stays from one run to the next.
    """
    npm = programs.find("npm")
    lock = (wanted / "package-lock.json").read_bytes()
    parent = _INSTALLED / wanted.name
    folder = parent / hashlib.sha256(lock).hexdigest()[:16]
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(parent, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(wanted / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        if ended.returncode and _OFFLINE.search(ended.stderr):
            pytest.skip(f"npm cannot fetch the packages: {ended.stderr.splitlines()[-1]}")
        assert ended.returncode == 0, ended.stderr
        done.touch()
    return folder / "node_modules"

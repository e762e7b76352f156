"""The command `listen-queue-exporter`, run to its end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import privileges

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Completed:
    """The exit status of a command, and what it wrote."""

    status: int
    output: str
    errors: str


def run(*arguments: str) -> Completed:
    """Run `listen-queue-exporter` with these arguments; fails where it does not end by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
        preexec_fn=privileges.deny_other_namespaces,  # tests have one thread
    )
    return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

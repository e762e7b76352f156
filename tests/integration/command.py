"""The command `listen-queue-exporter`, run to its end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import privileges, syscalls

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Completed:
    """The exit status of a command, and what it wrote."""

    status: int
    output: str
    errors: str


def run(*arguments: str, namespaces: bool = False) -> Completed:
    """Run `listen-queue-exporter` with these arguments; fails where it does not end by itself.

    It may enter other network namespaces only where `namespaces` is true.
    """
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
        # Tests have one thread.
        preexec_fn=syscalls.die_with_parent if namespaces else privileges.deny_other_namespaces,
    )
    return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

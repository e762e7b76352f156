"""The command `listen-queue-exporter`, run to its end."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import privileges, syscalls

_ROOT = Path(__file__).resolve().parents[2]


# What `show` says on the standard error where the command may enter no other network namespace.
_NOT_SEEN = re.compile(
    r"^listen-queue-exporter: (not seen:|the exporter does not see) other network namespaces \(containers\): "
    r"run it as root, or with CAP_SYS_ADMIN and CAP_SYS_PTRACE\n",
    re.MULTILINE,
)


def without_not_seen(errors: str) -> str:
    """Return what a command wrote on the standard error besides that."""
    return _NOT_SEEN.sub("", errors)


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

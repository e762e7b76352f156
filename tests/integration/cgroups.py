"""Cgroups that a test makes, and moving into them."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.kernel.processes.cgroups import CgroupTree
from testbed.waiting import until


@contextmanager
def new_cgroup() -> Iterator[Path]:
    """A new cgroup, removed at the end with all below it. Skips the test where none can be made."""
    mount = CgroupTree().mount
    if mount is None:
        pytest.skip("no cgroups of version 2 here")
    top = Path(os.fsdecode(mount.point)) / f"listen-queue-test-{uuid.uuid4().hex}"
    try:
        top.mkdir()
    except OSError as refused:
        pytest.skip(f"cannot make a cgroup: {refused}")
    yield top
    until(lambda: _removed(top), bool)


def enter(cgroup: Path) -> None:
    """Move this process to a cgroup, which is made where it does not exist."""
    cgroup.mkdir(parents=True, exist_ok=True)
    (cgroup / "cgroup.procs").write_text(f"{os.getpid()}\n")


def _removed(top: Path) -> bool:
    for folder in sorted(top.rglob("*/"), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()

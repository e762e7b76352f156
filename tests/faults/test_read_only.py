"""A root file system that nobody can write to."""

from __future__ import annotations

from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from testbed import syscalls
from tests.faults.redirected_exporter import RedirectedExporter

_CLONE_NEWNS = 0x20000


def leave_mounts() -> None:
    """Take a mount namespace of its own: in that of the test, the log is open for writing."""
    syscalls.call("unshare", _CLONE_NEWNS)


@pytest.mark.netns
@pytest.mark.fault("a root file system that is read-only", "it starts, serves and reloads as ever")
def test_a_read_only_root(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    before = (
        "mount --make-rprivate / && mount -o remount,bind,ro / || exit 8\n"
        f"if touch {tmp_path}/written 2>/dev/null; then exit 9; fi"
    )
    with RedirectedExporter(
        tmp_path, "", f"--config.file={file}", before=before, before_exec=leave_mounts, namespaces=True
    ).wait_ready() as exporter:
        exporter.scrape()
        exporter.signal(SIGHUP)
        exporter.wait_for_log("configuration reloaded")
        assert exporter.stop(SIGTERM) == 0
        assert "level=error" not in exporter.log

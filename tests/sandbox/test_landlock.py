"""With Landlock a process reads files, and changes none."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from exporter.sandbox import landlock
from tests.sandbox.confined import WORKS, outcomes


def version() -> int:
    try:
        return landlock.version()
    except OSError as error:
        pytest.skip(f"the kernel has no Landlock: {error}")


def test_files_are_read_and_not_changed(tmp_path: Path) -> None:
    version()
    file = tmp_path / "file"
    file.write_bytes(b"content")
    calls = {
        "read": file.read_bytes,
        "list": lambda: os.listdir(tmp_path),  # noqa: PTH208
        "its own files in /proc": lambda: Path("/proc/self/stat").read_bytes(),
        "its own namespace": lambda: Path("/proc/self/ns/net").stat(),
        "write": lambda: file.write_bytes(b"other"),
        "create": (tmp_path / "new").touch,
        "remove": file.unlink,
        "make a directory": (tmp_path / "folder").mkdir,
        "rename": lambda: file.rename(tmp_path / "moved"),
        "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    }
    refused = dict.fromkeys(list(calls)[4:], "EACCES")
    assert outcomes(landlock.read_only, calls) == dict.fromkeys(list(calls)[:4], WORKS) | refused
    assert file.read_bytes() == b"content"


def test_no_process_outside_is_looked_at_or_ended() -> None:
    known = version()
    outside = os.fork()
    if outside == 0:
        while True:
            signal.pause()
    try:
        calls = {
            "descriptors": lambda: os.readlink(f"/proc/{outside}/fd/0"),  # noqa: PTH115
            "everybody's": lambda: Path(f"/proc/{outside}/stat").read_bytes(),
            "end": lambda: os.kill(outside, signal.SIGKILL),
        }
        found = outcomes(landlock.read_only, calls)
        assert found["descriptors"] == "EACCES"
        assert found["everybody's"] == WORKS
        assert found["end"] == ("EPERM" if known >= 6 else WORKS)
    finally:
        os.kill(outside, signal.SIGKILL)
        os.waitpid(outside, 0)


def test_no_port_is_opened() -> None:
    if version() < 4:
        pytest.skip("this version of Landlock has no network")
    opened = socket.create_server(("127.0.0.1", 0))
    calls = {
        "bind": lambda: socket.create_server(("127.0.0.1", 0)),
        "connect": lambda: socket.create_connection(opened.getsockname()),
    }
    assert outcomes(landlock.read_only, calls) == {"bind": "EACCES", "connect": WORKS}
    opened.close()

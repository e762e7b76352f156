"""/proc/net/unix, where the names of sockets may hold any byte."""

from __future__ import annotations

from contextlib import suppress

from exporter.kernel.errors import KernelError
from exporter.kernel.family import UNIX
from tests.fuzz.listener_rows import check_listener
from tests.fuzz.target import Target
from tests.kernel.fake_kernel import FakeFiles


def run(data: bytes) -> None:
    """Read the file."""
    assert UNIX.table is not None
    with suppress(KernelError):
        for listener, _ in UNIX.table().listeners(FakeFiles({"net/unix": data})):
            check_listener(listener)


TARGET = Target(run, max_bytes=4096, words=(b"\n", b"0000000000000000: 00000002 00000000 00010000 0001 01 "))

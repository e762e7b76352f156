"""/proc/net/tcp and tcp6: listeners, half-open connections, and reference counts."""

from __future__ import annotations

import socket
from contextlib import suppress

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs import tcp
from exporter.kernel.procfs.refcount import RefCountReader
from tests.fuzz.listener_rows import check_endpoint, check_listener
from tests.fuzz.target import Target, parts
from tests.kernel.fake_kernel import FakeFiles


def run(data: bytes) -> None:
    """Read two files."""
    ipv4, ipv6 = parts(data, 2)
    files = FakeFiles({"net/tcp": ipv4, "net/tcp6": ipv6})
    with suppress(KernelError):
        for listener, reading in tcp.TcpTable().listeners(files):
            check_listener(listener)
            assert reading.length is None or reading.length >= 0
    with suppress(KernelError):
        for endpoint, count in tcp.syn_recv(files).items():
            check_endpoint(endpoint)
            assert count > 0
    references = RefCountReader(files)
    for family, wanted in ((socket.AF_INET, 1), (socket.AF_INET, 3), (socket.AF_INET6, 2)):
        with suppress(KernelError):
            found = references.read(family, wanted)
            assert len(found) <= wanted
            assert all(count.held >= 0 and count.accept_length >= 0 for count in found.values())


TARGET = Target(run, max_bytes=2048)

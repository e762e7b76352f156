"""Counters and settings of a namespace: /proc/net/netstat, /proc/net/snmp, /proc/sys/net."""

from __future__ import annotations

from contextlib import suppress

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs.counters import (
    COUNTER_FILES,
    SEGMENT_FILES,
    read_counters,
    read_syn_repeats,
    read_sysctls,
    read_tcp_segments,
)
from tests.fuzz.target import Target, parts
from tests.kernel.fake_kernel import FakeFiles


def run(data: bytes) -> None:
    """Read the files, of which all settings have one content."""
    counters, setting = parts(data, 2)
    files = FakeFiles(
        {**dict.fromkeys(COUNTER_FILES, setting), "net/netstat": counters, SEGMENT_FILES[0]: counters}
    )
    with suppress(KernelError):
        read_counters(files)
    with suppress(KernelError):
        read_sysctls(files).max_syn_recv()
    for read in (read_tcp_segments, read_syn_repeats):
        with suppress(KernelError):
            read(files)


TARGET = Target(run, words=(b"TcpExt:", b"Tcp:", b" ListenDrops", b" InSegs", b" 1", b"\n"))

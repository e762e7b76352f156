"""The TCP counters and settings of a network namespace, from /proc.

Source: net/ipv4/proc.c (snmp_seq_show, netstat_seq_show) and
https://docs.kernel.org/networking/ip-sysctl.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import ProcfsFiles

_PAIR: Final = 2
_SNMP: Final = "net/snmp"
_NETSTAT: Final = "net/netstat"
_SOMAXCONN: Final = "sys/net/core/somaxconn"
_MAX_SYN_BACKLOG: Final = "sys/net/ipv4/tcp_max_syn_backlog"
_SYNCOOKIES: Final = "sys/net/ipv4/tcp_syncookies"
_ABORT_ON_OVERFLOW: Final = "sys/net/ipv4/tcp_abort_on_overflow"
# The files of read_counters and read_sysctls, and of read_tcp_segments.
COUNTER_FILES: Final = (_NETSTAT, _SOMAXCONN, _MAX_SYN_BACKLOG, _SYNCOOKIES, _ABORT_ON_OVERFLOW)
SEGMENT_FILES: Final = (_SNMP,)


@dataclass(frozen=True, slots=True)
class TcpCounters:
    """Counters of a namespace since it was created; None where this kernel does not have one."""

    listen_overflows: int | None
    listen_drops: int | None
    syn_queue_full_drops: int | None
    syn_queue_full_cookies: int | None
    syncookies_sent: int | None
    syncookies_received: int | None
    syncookies_failed: int | None


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings of a namespace that limit its listen queues; None where one may not be read."""

    somaxconn: int | None
    max_syn_backlog: int | None
    syncookies: int | None
    abort_on_overflow: int | None


def read_counters(files: ProcfsFiles) -> TcpCounters:
    """Read TcpExt. Raises KernelError."""
    tcp = parse_table(files.read(_NETSTAT), "TcpExt", _NETSTAT)
    return TcpCounters(
        listen_overflows=tcp.get("ListenOverflows"),
        listen_drops=tcp.get("ListenDrops"),
        syn_queue_full_drops=tcp.get("TCPReqQFullDrop"),
        syn_queue_full_cookies=tcp.get("TCPReqQFullDoCookies"),
        syncookies_sent=tcp.get("SyncookiesSent"),
        syncookies_received=tcp.get("SyncookiesRecv"),
        syncookies_failed=tcp.get("SyncookiesFailed"),
    )


def read_sysctls(files: ProcfsFiles) -> Sysctls:
    """Read the settings. Raises KernelError."""
    return Sysctls(
        somaxconn=_setting(files, _SOMAXCONN),
        max_syn_backlog=_setting(files, _MAX_SYN_BACKLOG),
        syncookies=_setting(files, _SYNCOOKIES),
        abort_on_overflow=_setting(files, _ABORT_ON_OVERFLOW),
    )


def read_tcp_segments(files: ProcfsFiles) -> int | None:
    """Read how many TCP segments have come in (InSegs), None where it is not counted. Raises KernelError."""
    return parse_table(files.read(_SNMP), "Tcp", _SNMP).get("InSegs")


def parse_table(text: bytes, section: str, name: str) -> dict[str, int]:
    """Read one section of a file that pairs a line of names with a line of numbers.

    Raises MalformedReplyError where the section is missing or its two lines do not fit.
    """
    start = f"{section}:".encode()
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(start)]
    if len(lines) != _PAIR or len(lines[0]) != len(lines[1]):
        raise MalformedReplyError(f"{name}: no pair of {section} lines of one length")
    try:
        return {key.decode(): int(value) for key, value in zip(*lines, strict=True)}
    except ValueError as error:
        raise MalformedReplyError(f"{name}: {section}: {error}") from error


def _setting(files: ProcfsFiles, name: str) -> int | None:
    """Read a number, None where the file is missing or may not be read. Raises KernelError."""
    try:
        text = files.read(name)
    except UnavailableError:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise MalformedReplyError(f"/proc/{name}: {text.strip()!r} is no number") from error

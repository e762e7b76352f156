"""The TCP counters and settings of a network namespace, from /proc.

Source: net/ipv4/proc.c (snmp_seq_show, netstat_seq_show) and
https://docs.kernel.org/networking/ip-sysctl.html.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from exporter.kernel.errors import MalformedReplyError, UnavailableError, UnimplementedError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.proc import SETTING_BYTES

_PAIR: Final = 2
_SNMP: Final = "net/snmp"
_NETSTAT: Final = "net/netstat"
# net.ipv4.tcp_syncookies.
_COOKIES_OFF: Final = 0
_SOMAXCONN: Final = "sys/net/core/somaxconn"
_MAX_SYN_BACKLOG: Final = "sys/net/ipv4/tcp_max_syn_backlog"
_SYNCOOKIES: Final = "sys/net/ipv4/tcp_syncookies"
_ABORT_ON_OVERFLOW: Final = "sys/net/ipv4/tcp_abort_on_overflow"
# In the order of TcpCounters.
_COUNTERS: Final = (
    b"ListenOverflows",
    b"ListenDrops",
    b"TCPReqQFullDrop",
    b"TCPReqQFullDoCookies",
    b"SyncookiesSent",
    b"SyncookiesRecv",
    b"SyncookiesFailed",
    b"TCPDeferAcceptDrop",
)
_SEGMENTS: Final = (b"InSegs",)
_ACCEPTED: Final = (b"PassiveOpens",)
_NUMBER: Final = re.compile(rb" -?\d+(?: |$)")
_ALL_ZERO: Final = re.compile(rb"^TcpExt:(?: 0)+ *$", re.MULTILINE)
_SYN_REPEATS: Final = (b"TCPSynRetrans",)
# The files of read_counters and read_sysctls, and of read_tcp_segments.
COUNTER_FILES: Final = (_NETSTAT, _SNMP, _SOMAXCONN, _MAX_SYN_BACKLOG, _SYNCOOKIES, _ABORT_ON_OVERFLOW)
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
    defer_accept_drops: int | None = None


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings of a namespace that limit its listen queues; None where one may not be read."""

    somaxconn: int | None
    max_syn_backlog: int | None
    syncookies: int | None
    abort_on_overflow: int | None

    def max_syn_recv(self) -> int | None:
        """Return how many half-open connections a socket may have whatever its backlog; None for no limit.

        With SYN cookies off, new peers are refused once fewer than a quarter of tcp_max_syn_backlog is free
        (tcp_conn_request, net/ipv4/tcp_input.c).
        """
        if self.syncookies != _COOKIES_OFF or self.max_syn_backlog is None:
            return None
        return self.max_syn_backlog - (self.max_syn_backlog >> 2) + 1


def read_counters(files: ProcfsFiles) -> TcpCounters:
    """Read TcpExt. Raises KernelError.

    That is an UnimplementedError where all of TcpExt is 0 and yet a client has connected: on Linux the
    last packet of a handshake counts there (TCPPureAcks in tcp_ack, net/ipv4/tcp_input.c), or its data do.
    A client may have connected since TcpExt was read, so it is read once more.
    """
    text = files.read(_NETSTAT)
    found = TcpCounters(*columns(text, b"TcpExt:", _COUNTERS, _NETSTAT))
    if _ALL_ZERO.search(text) and _accepted(files) and _ALL_ZERO.search(files.read(_NETSTAT)):
        raise UnimplementedError(f"/proc/{_NETSTAT} counts nothing, though connections were opened")
    return found


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
    return columns(files.read(_SNMP), b"Tcp:", _SEGMENTS, _SNMP)[0]


def read_syn_repeats(files: ProcfsFiles) -> int | None:
    """Read how often a SYN, or a SYN-ACK, was sent again (TCPSynRetrans); None where that is not counted.

    A SYN-ACK is sent again a second after the first, later ones after longer times (reqsk_timer_handler,
    net/ipv4/inet_connection_sock.c; tcp_rtx_synack, net/ipv4/tcp_output.c). Raises KernelError.
    """
    return columns(files.read(_NETSTAT), b"TcpExt:", _SYN_REPEATS, _NETSTAT)[0]


def _accepted(files: ProcfsFiles) -> bool:
    """Tell whether a connection to a listener was ever opened. Raises KernelError."""
    with suppress(UnavailableError):
        return bool(columns(files.read(_SNMP), b"Tcp:", _ACCEPTED, _SNMP)[0])
    return False


def columns(text: bytes, section: bytes, wanted: tuple[bytes, ...], name: str) -> list[int | None]:
    """Read columns of a section of a file that pairs a line of names with a line of numbers.

    Returns them in the order of `wanted`, None for those that there are not. Raises UnimplementedError where
    the section has names alone, as in gVisor (netStatData, pkg/sentry/fsimpl/proc/task_net.go), and
    MalformedReplyError where it is missing, its two lines do not fit, or what is wanted is no number.
    """
    lines = [line for line in text.split(b"\n") if line.startswith(section)]
    if len(lines) == _PAIR:
        count, indices = _places(lines[0], wanted)
        values = lines[1].split()
        if len(values) == count:
            try:
                return [None if index is None else int(values[index]) for index in indices]
            except ValueError as error:
                raise MalformedReplyError(f"{name}: {section.decode()} {error}") from error
    if len(lines) == 1 and lines[0].split()[1:] and not _NUMBER.search(lines[0]):
        raise UnimplementedError(f"/proc/{name} has names of {section.decode()} and no values")
    raise MalformedReplyError(f"{name}: no pair of {section.decode()} lines of one length")


@lru_cache(maxsize=16)
def _places(names: bytes, wanted: tuple[bytes, ...]) -> tuple[int, tuple[int | None, ...]]:
    """Return how many columns a line of names has, and the place of each that is wanted.

    The line is the same in all namespaces of a kernel.
    """
    places = {column: place for place, column in enumerate(names.split())}
    return len(names.split()), tuple(places.get(column) for column in wanted)


def _setting(files: ProcfsFiles, name: str) -> int | None:
    """Read a number, None where the file is missing or may not be read. Raises KernelError."""
    try:
        text = files.read_setting(name)
    except UnavailableError:
        return None
    try:
        # A number that was cut would be another one.
        return int(text if len(text) < SETTING_BYTES else b"")
    except ValueError as error:
        raise MalformedReplyError(f"/proc/{name}: {text.strip()!r} is no number") from error

"""A namespace's TCP counters and settings, from /proc.

Source: net/ipv4/proc.c (snmp_seq_show, netstat_seq_show) and
https://docs.kernel.org/networking/ip-sysctl.html. The files under /proc/net and /proc/sys/net
speak of the network namespace of the process that opens them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.kernel.errors import MalformedReplyError, from_errno

PROC: Final = Path("/proc")
_PAIR = 2


@dataclass(frozen=True, slots=True)
class TcpCounters:
    """Counters of a namespace since it was made; None where this kernel does not count it."""

    listen_overflows: int | None
    listen_drops: int | None
    syn_queue_full_drops: int | None
    syn_queue_full_cookies: int | None
    syncookies_sent: int | None
    syncookies_received: int | None
    syncookies_failed: int | None


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings of a namespace that rule its listen queues; None where it may not be read."""

    somaxconn: int | None
    max_syn_backlog: int | None
    syncookies: int | None
    abort_on_overflow: int | None


def read_counters(proc: Path = PROC) -> TcpCounters:
    """Read TcpExt of the caller's network namespace. Raises KernelError."""
    tcp = parse_table(_read(proc / "net/netstat"), "TcpExt", "net/netstat")
    return TcpCounters(
        listen_overflows=tcp.get("ListenOverflows"),
        listen_drops=tcp.get("ListenDrops"),
        syn_queue_full_drops=tcp.get("TCPReqQFullDrop"),
        syn_queue_full_cookies=tcp.get("TCPReqQFullDoCookies"),
        syncookies_sent=tcp.get("SyncookiesSent"),
        syncookies_received=tcp.get("SyncookiesRecv"),
        syncookies_failed=tcp.get("SyncookiesFailed"),
    )


def read_sysctls(proc: Path = PROC) -> Sysctls:
    """Read the settings of the caller's network namespace. Raises MalformedReplyError."""
    ipv4 = proc / "sys/net/ipv4"
    return Sysctls(
        somaxconn=_setting(proc / "sys/net/core/somaxconn"),
        max_syn_backlog=_setting(ipv4 / "tcp_max_syn_backlog"),
        syncookies=_setting(ipv4 / "tcp_syncookies"),
        abort_on_overflow=_setting(ipv4 / "tcp_abort_on_overflow"),
    )


def read_tcp_segments(proc: Path = PROC) -> int | None:
    """Read how many TCP segments have come in (InSegs). None of them, no new half-open connection."""
    return parse_table(_read(proc / "net/snmp"), "Tcp", "net/snmp").get("InSegs")


def parse_table(text: str, section: str, name: str) -> dict[str, int]:
    """Read one section of a file that pairs a line of names with a line of numbers.

    Raises MalformedReplyError where the section is missing or its two lines do not fit.
    """
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(section + ":")]
    if len(lines) != _PAIR or len(lines[0]) != len(lines[1]):
        raise MalformedReplyError(f"{name}: no pair of {section} lines of one length")
    try:
        return {key: int(value) for key, value in zip(*lines, strict=True)}
    except ValueError as error:
        raise MalformedReplyError(f"{name}: {section}: {error}") from error


def _setting(path: Path) -> int | None:
    try:
        text = _text(path)
    except OSError:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise MalformedReplyError(f"{path}: {text.strip()!r} is no number") from error


def _read(path: Path) -> str:
    try:
        return _text(path)
    except OSError as error:
        raise from_errno(f"cannot read {path}", error.errno or 0) from error


def _text(path: Path) -> str:
    """Read a file of words and numbers; what is neither becomes a character that no number has."""
    return path.read_text(encoding="ascii", errors="replace")

"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "unknown"
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
# From here on no decimal place is shown.
_TEN: Final = 10.0
# The smallest share that is not shown as nothing at all.
_HUNDREDTH: Final = 0.01


def number(value: float | None) -> str:
    """Return a count; one that cannot be read is unknown, and never 0."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def counted(value: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{number(value)} {singular if value == 1 else plural or f'{singular}s'}"


def percent(ratio: float | None) -> str:
    """Return a share; no queue with a connection in it is 0%, and none with a place left is 100%."""
    if ratio is None:
        return UNKNOWN
    if 0 < ratio < _HUNDREDTH:
        return "<1%"
    shown = 99 if 1 - _HUNDREDTH < ratio < 1 else round(ratio * 100)
    return f"{shown}%"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that fits it."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{_short(seconds / _MINUTE)} min" if seconds < _HOUR else f"{_short(seconds / _HOUR)} h"


def clock(unix_seconds: float) -> str:
    """Return the time of day on the host of the exporter, in milliseconds."""
    return _local(unix_seconds).strftime("%H:%M:%S.%f")[:-3]


def date(unix_seconds: float) -> str:
    """Return the day on this host."""
    return _local(unix_seconds).strftime("%Y-%m-%d")


def date_and_clock(unix_seconds: float) -> str:
    """Return day and time on the host of the exporter, with its offset from UTC."""
    return _local(unix_seconds).strftime("%Y-%m-%d %H:%M:%S %z")


def iso(unix_seconds: float) -> str:
    """Return the same for programs (RFC 3339)."""
    return _local(unix_seconds).isoformat(timespec="milliseconds")


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < _TEN else f"{value:.0f}"


def _local(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC).astimezone()

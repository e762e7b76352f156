"""Values as Grafana formats them, in the units of the dashboard."""

from __future__ import annotations

from typing import Final

_THOUSAND: Final = 1000.0
_MINUTE: Final = 60.0
_BINARY: Final = 1024.0


def format_value(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit, and three digits where the number of decimals is not given."""
    match unit:
        case "percentunit":
            return f"{_digits(value * 100, decimals)}%"
        case "s":
            return _seconds(value, decimals)
        case "cps" | "pps":
            return f"{_scaled(value, decimals)} {unit[0]}/s"
        case "bytes":
            return f"{_digits(value / _BINARY**2, decimals)} MiB"
        case "none":
            return _digits(value, decimals)
        case _:
            return _scaled(value, decimals)


def _seconds(value: float, decimals: int | None) -> str:
    if value >= _MINUTE:
        return f"{_digits(value / _MINUTE, decimals)} mins"
    if 0 < value < 1:
        return f"{_digits(value * _THOUSAND, 0 if decimals is None else decimals)} ms"
    return f"{_digits(value, decimals)} s"


def _scaled(value: float, decimals: int | None) -> str:
    if abs(value) >= _THOUSAND:
        return f"{_digits(value / _THOUSAND, decimals)} K"
    return _digits(value, decimals)


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}" if abs(value) < _THOUSAND else f"{value:.0f}"

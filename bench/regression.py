"""Compares the ratios of the quick benchmark with quick_limits.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bench.limits import LIMITS, Direction
from bench.results import Summary

QUICK_LIMITS: Final = Path(__file__).with_name("quick_limits.toml")


def check(measured: Mapping[str, Summary], limits: Mapping[str, float]) -> Iterator[tuple[bool, str]]:
    """Yield, for each limit by its name, whether it is met and a line that says so.

    The best round counts: what else runs on the machine makes a program slower, never faster.
    """
    known = {limit.name: limit for limit in LIMITS}
    for name, value in limits.items():
        summary = measured.get(name)
        if summary is None:
            yield True, f"not measured  {name}"
            continue
        limit = known[name]
        best = summary.minimum if limit.direction is Direction.AT_MOST else summary.maximum
        met = limit.met_by(best, value)
        result = "ok" if met else "REGRESSION"
        yield met, f"{result:12}  {name}: {best:.3g}, {limit.direction.value} {value:g} ({limit.measure})"


def quick_limits() -> dict[str, float]:
    """Return the limits of the quick benchmark by their names."""
    limits: dict[str, float] = tomllib.loads(QUICK_LIMITS.read_text())
    return limits

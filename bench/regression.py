"""The quick form's judgement: whether a ratio has grown clearly."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.bar import BARS, Sense
from bench.cost import Spread

LIMITS = Path(__file__).with_name("limits.toml")


def judge(reached: Mapping[str, Spread]) -> Iterator[tuple[bool, str]]:
    """Yield, for each limit of the file, whether it holds and a line that says so.

    Ratios are judged by their best round: noise makes a program slower, never faster.
    """
    senses = {bar.name: bar.sense for bar in BARS}
    measures = {bar.name: bar.measure for bar in BARS}
    for name, limit in tomllib.loads(LIMITS.read_text()).items():
        spread = reached.get(name)
        if spread is None:
            yield True, f"not measured  {name}"
            continue
        most = senses[name] is Sense.AT_MOST
        value = spread.lowest if most else spread.highest
        holds = value <= limit if most else value >= limit
        side = "at most" if most else "at least"
        verdict = "ok" if holds else "REGRESSION"
        yield holds, f"{verdict:12}  {name}: {value:.3g}, {side} {limit:g} ({measures[name]})"

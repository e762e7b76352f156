"""What every figure of one page is taken from."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.sampling.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reading of the configuration went; `timestamp` is that of the last success."""

    successful: bool
    timestamp: float


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Which program this is. `revision` is the commit, where the build has set it."""

    version: str
    revision: str
    python: str


@dataclass(frozen=True, slots=True)
class ScrapeContext:
    """One scrape: `now` in monotonic seconds, and how many listeners are on the page and left off it."""

    sampler: Sampler
    reload: Reload
    build: BuildInfo
    now: float
    listeners: int
    omitted: int

"""What every figure of one page is taken from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.sampling.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reading of the configuration went; `timestamp` is that of the last success."""

    successful: bool
    timestamp: float


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines that the log lacks: those that could not be written, and repetitions of others."""

    unwritten: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Which program this is. `revision` is the commit, where the build has set it."""

    version: str
    revision: str
    python: str


@dataclass(frozen=True, slots=True)
class ScrapeContext:
    """One scrape, at `now` in monotonic seconds.

    `listeners` are on the page, and of each namespace so many are left off it as `omitted` has.
    """

    sampler: Sampler
    reload: Reload
    build: BuildInfo
    now: float
    listeners: int
    omitted: Mapping[str, int]
    log_lines: LogLines = LogLines()

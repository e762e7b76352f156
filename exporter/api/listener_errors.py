"""What went wrong where listeners were read, for the document of listeners."""

from __future__ import annotations

from typing import Any, Final

from exporter.kernel.family import FAMILIES
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.sampler import Sampler
from exporter.sampling.source_runner import SourceRunner

_LISTENER_SOURCES: Final = frozenset(family.source for family in FAMILIES)


def errors(sampler: Sampler, now: float) -> list[dict[str, Any]]:
    """Return each source that fails, or has no sample of the last seconds. The caller holds the lock."""
    return [
        {
            "netns": runner.netns,
            "source": runner.name,
            "error": error,
            "hides_listeners": runner.name in _LISTENER_SOURCES,
        }
        for runner in sampler.runners
        if (error := _error(runner, now)) is not None
    ]


def _error(runner: SourceRunner, now: float) -> str | None:
    if runner.error is not None:
        return str(runner.error)
    # One that never ran belongs to a namespace that was found just now.
    if runner.timestamp and not runner.healthy(now):
        return f"the newest sample is older than {STALE_SECONDS:g} s"
    return None

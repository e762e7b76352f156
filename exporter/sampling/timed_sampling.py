"""Runs a sampler for some seconds in the calling thread, for a command that ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.sampling.clock import Clock
from exporter.sampling.sampler import Sampler

# So often it is looked for new samples where none is due sooner.
_PAUSE_SECONDS: Final = 0.05


def sample_for(
    sampler: Sampler,
    seconds: float,
    clock: Clock,
    sleep: Callable[[float], None],
    sampled: Callable[[], object] = bool,
) -> None:
    """Sample for so many seconds, and call `sampled` after each time.

    At the end every source runs once more, so that nothing of that time is missing.
    """
    started = clock.monotonic()
    while (left := started + seconds - clock.monotonic()) > 0:
        due = sampler.sample() - clock.monotonic()
        sampled()
        sleep(max(0.0, min(due, left, _PAUSE_SECONDS)))
    sample_now(sampler)
    sampled()


def sample_now(sampler: Sampler) -> None:
    """Run every source of every namespace once."""
    for runner in sampler.runners:
        runner.schedule.run_now()
    slots = sampler.namespace_scheduler.slots
    for slot in slots:
        slot.schedule.run_now()
    # Not all namespaces are sampled at once.
    for _ in range(len(slots) + 1):
        sampler.sample()
        if not any(slot.schedule.due is None for slot in slots):
            break

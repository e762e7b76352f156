"""Runs a sampler for some seconds in the calling thread, for a command that ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.sampling.clock import Clock
from exporter.sampling.sampler import Sampler
from exporter.sampling.sources.owners import Owners

# So often it is looked for new samples where none is due sooner.
_PAUSE_SECONDS: Final = 0.05
# Figures that are older are read again before they are shown. From 5 seconds on they are not shown at all.
_FRESH_SECONDS: Final = 1.0
# Longer than everything else takes to be sampled once.
_OWNERS_LATER_SECONDS: Final = 60.0


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
    ended = clock.monotonic()
    sample_now(sampler)
    sample_again_if_old(sampler, ended, clock)
    sampled()


def sample_now(sampler: Sampler) -> None:
    """Run every source of every namespace once."""
    for runner in sampler.runners:
        runner.schedule.run_now()
    _sample_due_now(sampler)


def sample_again_if_old(sampler: Sampler, since: float, clock: Clock) -> None:
    """Sample everything but owners once more where figures may be as old as `since`, and that is long ago.

    The search for owners may take many seconds: a step of it ends only between two processes, and a process
    may have thousands of sockets.
    """
    if clock.monotonic() - since <= _FRESH_SECONDS:
        return
    for runner in sampler.runners:
        if runner.name == Owners.NAME:
            runner.schedule.postpone(clock.monotonic() + _OWNERS_LATER_SECONDS)
        else:
            runner.schedule.run_now()
    _sample_due_now(sampler)
    for runner in sampler.runners:
        if runner.name == Owners.NAME:
            runner.schedule.run_now()


def _sample_due_now(sampler: Sampler) -> None:
    """Sample until everything has run that is due now, and every namespace."""
    slots = sampler.namespace_scheduler.slots
    for slot in slots:
        slot.schedule.run_now()
    # Not all namespaces are sampled at once.
    for _ in range(len(slots) + 1):
        sampler.sample()
        if not any(slot.schedule.due is None for slot in slots):
            break

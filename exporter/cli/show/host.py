"""The listeners of this host, sampled by this process."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery, QueryError
from exporter.cli import progress
from exporter.cli.host_sampling import check, sampled_host, with_watch_budget
from exporter.cli.show_flags import ShowFlags
from exporter.config.model import Config, Thresholds
from exporter.errors import UsageError
from exporter.sampling.clock import Clock
from exporter.sampling.timed_sampling import sample_for


def document(query: ListenerQuery, flags: ShowFlags, clock: Clock) -> dict[str, Any]:
    """Return the document of what is asked for, after a watch where the flags ask for one.

    Raises RunError where the listeners of this namespace cannot be read, and UsageError where too many of
    them have clients that are asked for.
    """
    sampler = sampled_host(flags.config_file, clock, partial(adapted, seconds=flags.seconds))
    if flags.seconds is not None:
        with progress.watching(flags.seconds):
            sample_for(sampler, flags.seconds, clock, time.sleep)
        check(sampler, clock)
    try:
        if query.clients is None:
            return Listeners(sampler, clock).document(query)
        # The kernel looks at every connection of the host for it.
        with progress.doing("looking for clients"):
            return Listeners(sampler, clock).document(query)
    except QueryError as error:
        raise UsageError(f"--{error}") from error


def adapted(config: Config, seconds: float | None = None) -> Config:
    """Let thresholds count as soon as they are exceeded, since a watch of some seconds is all there is.

    What was exceeded in it counts until its end, and so do peaks. `seconds` is None for a single sample.
    """
    config = replace(
        config,
        defaults=replace(config.defaults, thresholds=_at_once(config.defaults.thresholds, seconds)),
        rules=tuple(replace(rule, thresholds=_at_once(rule.thresholds, seconds)) for rule in config.rules),
    )
    if seconds is None:
        return config
    config = with_watch_budget(config)
    return replace(config, sampling=replace(config.sampling, peak_window_seconds=math.inf))


def _at_once(thresholds: Thresholds, seconds: float | None) -> Thresholds:
    # Nothing is released before the watch has ended.
    release = thresholds.release_seconds if seconds is None else math.inf
    return replace(thresholds, hold_seconds=0.0, release_seconds=release)

"""A sampler of this host for a command that ends by itself: `show` and `doctor`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from exporter.api import listener_errors
from exporter.cli import progress
from exporter.cli.privileges import Privileges
from exporter.config import Config, ConfigFile
from exporter.errors import RunError
from exporter.kernel.netns.host_label import HOST
from exporter.sampling.clock import Clock
from exporter.sampling.environment import Brokers, host_environment
from exporter.sampling.sampler import Sampler
from exporter.sampling.timed_sampling import sample_again_if_old

# After this a listener is printed without its owner.
_OWNER_WAIT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.01
# Nothing else waits meanwhile, and what is given up is missing in the only answer.
_BROKER_SECONDS: Final = 10.0
# Of one core, for a few seconds: with the budget of a daemon a watch would see one sample of most namespaces.
_CPU_BUDGET: Final = 0.25


def sampled_host(config_file: str | None, clock: Clock, adapt: Callable[[Config], Config]) -> Sampler:
    """Return a sampler that has asked every source once; `adapt` changes the configuration before.

    Raises RunError where the listeners of this namespace cannot be read, and UsageError for a wrong file.
    """
    # Python would print warnings that no handler takes; what failed is said once, by the command.
    logging.getLogger("exporter").addHandler(logging.NullHandler())
    config = ConfigFile(config_file).load() if config_file else Config()
    # It ends at once and listens nowhere, so it stays the user that has started it.
    privileges = Privileges()
    started = privileges.start_brokers()
    privileges.drop_all(brokers=started is not None)
    brokers = None if started is None else Brokers.of(started, _BROKER_SECONDS)
    sampler = Sampler(adapt(config), host_environment(brokers, clock))
    with progress.doing("looking for listeners and their owners"):
        sample_all(sampler, clock)
    check(sampler, clock)
    return sampler


def with_watch_budget(config: Config) -> Config:
    """Return a configuration for a watch of some seconds."""
    budget = max(config.sampling.cpu_budget_ratio, _CPU_BUDGET)
    return replace(config, sampling=replace(config.sampling, cpu_budget_ratio=budget))


def sample_all(sampler: Sampler, clock: Clock) -> None:
    """Sample until every namespace was asked, and the owner of every listener was found or time is up.

    Where that has taken long, the figures of the queues are read once more.
    """
    began = clock.monotonic()
    sampler.sample()
    while not sampler.all_namespaces_sampled():
        # Some wait for their labels.
        time.sleep(_PAUSE_SECONDS)
        sampler.sample()
    asked = clock.monotonic()
    while not sampler.all_owners_searched() and clock.monotonic() - asked < _OWNER_WAIT_SECONDS:
        sampler.search_owners()
    sample_again_if_old(sampler, began, clock)


def check(sampler: Sampler, clock: Clock) -> None:
    """Raise RunError where the listeners of this namespace cannot be read: an empty answer would be wrong.

    Another namespace that shows nothing keeps none of the rest from being printed.
    """
    with sampler.lock:
        errors = listener_errors.errors(sampler, clock.monotonic())
    failed = [each for each in errors if each["hides_listeners"] and each["netns"] == HOST]
    if failed:
        reasons = "; ".join(f"{each['source']}: {each['error']}" for each in failed)
        message = f"cannot read the listeners: {reasons}"
        raise RunError(message)

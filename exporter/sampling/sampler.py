"""The sampling loop: one thread runs every source when it is due, and is the only one that writes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakKeyDictionary

from exporter.config.model import Config
from exporter.kernel.netns.namespace import HOST
from exporter.sampling.budget import limit_all
from exporter.sampling.environment import Environment
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.owners import Owners

_BUDGET_SECONDS: Final = 1.0
# Sources that are due so close to each other run in one tick: to wake up costs as much as to ask.
_TOGETHER_SECONDS: Final = 0.001

log = logging.getLogger(__name__)


class Sampler:
    """Samples until it is stopped. Readers of what it publishes hold `lock` meanwhile."""

    def __init__(self, config: Config, environment: Environment) -> None:
        """Set the sources up; nothing is asked yet."""
        clock = environment.clock
        self.lock = threading.Lock()
        self.config = config
        self.failure: Exception | None = None
        self.owners = Owners(environment.owners, environment.broker_clock)
        self.namespace_scheduler = NamespaceScheduler(config, environment, self.lock)
        self._clock = clock
        self._own = NamespaceSampler(environment.own, config, self.lock, clock)
        self._owners_runner = SourceRunner(self.owners, HOST, config, self.lock, environment.broker_clock)
        self._namespaces: tuple[NamespaceSampler, ...] = ()
        self._set_namespaces()
        # In the order in which they run when several are due.
        self._periodic = (*self._own.runners, self.namespace_scheduler.discovery_runner)
        self._all_ran = threading.Event()
        # Held until it is time to stop: to wait for a lock takes less processor time than for an Event.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread: threading.Thread | None = None
        self._next_budget_at = clock.monotonic()
        self._due = clock.monotonic()
        # The kind of error that was logged last, by source; nothing is kept of sources that are gone.
        self._logged: WeakKeyDictionary[SourceRunner, tuple[type, str] | None] = WeakKeyDictionary()

    @property
    def namespaces(self) -> tuple[NamespaceSampler, ...]:
        """Every namespace that is sampled, the exporter's own first."""
        return (self._own, *self.namespace_scheduler.samplers)

    @property
    def runners(self) -> list[SourceRunner]:
        """Every source of every namespace that is sampled. The caller holds the lock."""
        of_namespaces = [runner for namespace in self.namespaces for runner in namespace.runners]
        discovery = (
            [self.namespace_scheduler.discovery_runner] if self.namespace_scheduler.discovery.wanted else []
        )
        return [*of_namespaces, *discovery, self._owners_runner]

    def start(self, failed: Callable[[], object]) -> None:
        """Start the thread; `failed` is called from it where it cannot go on."""
        self._thread = threading.Thread(target=self._run, args=(failed,), name="sampler", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask the thread to end, and wait `timeout` seconds at most."""
        if self._running.locked():
            self._running.release()
        if self._thread is not None:
            self._thread.join(timeout)

    def all_sources_ran(self) -> bool:
        """Tell whether every source ran once, with success or without."""
        return self._all_ran.is_set()

    def ready(self) -> bool:
        """Tell whether every source ran once, and any of them had an answer."""
        return self.all_sources_ran() and any(runner.stats.samples for runner in self._periodic)

    def late_seconds(self) -> float:
        """Return for how long the next tick has been due; it needs no lock."""
        return max(0.0, self._clock.monotonic() - self._due)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on."""
        with self.lock:
            self.config = config
            self._owners_runner.configure(config)
            self.namespace_scheduler.configure(config)
            for namespace in self.namespaces:
                namespace.configure(config)

    def sample(self) -> float:
        """Run every source that is due, and return the monotonic time at which the next one will be."""
        now = self._clock.monotonic()
        self._run_due(self._periodic, now)
        more = self.namespace_scheduler.sample(now, self._report)
        self._set_namespaces()
        # Last, so that owners are found for what the others have just found.
        self._run_due((self._owners_runner,), now)
        self._keep_budget(self._clock.monotonic())
        if more:
            return now
        dues = [runner.schedule.due for runner in (*self._periodic, self._owners_runner)]
        return min(now if due is None else due for due in dues)

    def all_namespaces_sampled(self) -> bool:
        """Tell whether every namespace that was found was sampled, or tried, once."""
        return all(slot.schedule.due is not None for slot in self.namespace_scheduler.slots)

    def search_owners(self) -> None:
        """Run one more step of the search for owners, and nothing else."""
        self._owners_runner.schedule.run_now()
        self._run_due((self._owners_runner,), self._clock.monotonic())

    def all_owners_searched(self) -> bool:
        """Tell whether the owner of every listener was looked for."""
        return all(
            state.owner is not None
            for namespace in self.namespaces
            for state in namespace.table.states.values()
            if state.group.members
        )

    def published(self, now: float) -> list[ListenerState]:
        """Return the listeners that have series. The caller holds the lock."""
        return [
            state
            for namespace in self.namespaces
            for state in namespace.table.states.values()
            if state.published(now)
        ]

    def _set_namespaces(self) -> None:
        namespaces = self.namespaces
        if namespaces == self._namespaces:
            return
        if not set(namespaces) <= set(self._namespaces):
            # The listeners of a new namespace are published without an owner after a second, however slow
            # the budget has made the search.
            self._owners_runner.schedule.set_interval(self._owners_runner.schedule.interval)
        self._namespaces = namespaces
        self.owners.set_namespaces({each.table: each.namespace for each in namespaces})

    def _run_due(self, runners: Iterable[SourceRunner], now: float) -> None:
        for runner in runners:
            if runner.schedule.is_due(now, _TOGETHER_SECONDS):
                runner.run(now)
                self._report(runner)

    def _run(self, failed: Callable[[], object]) -> None:
        try:
            while not self._running.acquire(timeout=self._tick()):
                self._all_ran.set()
        except Exception as error:
            log.exception("sampling failed and cannot go on")
            self.failure = error
            failed()

    def _tick(self) -> float:
        """Sample, and return the seconds until the next tick."""
        self._due = self.sample()
        return max(0.0, self._due - self._clock.monotonic())

    def _keep_budget(self, now: float) -> None:
        """Slow down those that use more than their part of the budget."""
        if now < self._next_budget_at:
            return
        self._next_budget_at = now + _BUDGET_SECONDS
        # The other namespaces together get what one source of the own namespace gets, or what that leaves.
        limit_all(
            (*self._periodic, self._owners_runner, self.namespace_scheduler),
            self.config.sampling.cpu_budget_ratio,
        )

    def _report(self, runner: SourceRunner) -> None:
        """Log a source's failure and its end once each, not on every sample."""
        error = runner.error
        kind = (type(error), error.reason) if error is not None else None
        if kind == self._logged.get(runner):
            return
        self._logged[runner] = kind
        fields = {"source": runner.name, "netns": runner.netns}
        if error is None:
            log.info("source works again", extra={"fields": fields})
        else:
            log.warning("source failed: %s", error, extra={"fields": fields})

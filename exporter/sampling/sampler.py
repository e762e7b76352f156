"""The sampling loop: one thread runs every source when it is due, and is the only one that writes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

from exporter.config.model import Config
from exporter.errors import RunError
from exporter.kernel.netns.host_label import HOST
from exporter.sampling import source_report
from exporter.sampling.budget import AtMost, limit_all
from exporter.sampling.budget_report import BudgetReport
from exporter.sampling.cpu_budget import CpuBudget, CpuUse
from exporter.sampling.environment import Environment
from exporter.sampling.former_tables import FormerTables
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.own_namespace import OwnNamespace
from exporter.sampling.queue_observers import QueueObservers
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.owners import Owners
from exporter.sampling.thread_requests import ThreadRequests
from exporter.sampling.waiting import Waiting
from exporter.sampling.walk_limit import WalkLimit

_BUDGET_SECONDS: Final = 1.0
# A tick with thousands of new listeners takes a second.
_CONFIGURE_SECONDS: Final = 30.0
# What finding out whether owners are still the same may use of what samples may, and queues go without.
_RECHECK_PART: Final = 0.1
# Sources that are due so close to each other run in one tick: to wake up costs as much as to ask.
_TOGETHER_SECONDS: Final = 0.001

log = logging.getLogger(__name__)


class Sampler:
    """Samples until it is stopped. Readers of what it publishes hold `lock` meanwhile."""

    def __init__(self, config: Config, environment: Environment, own_sockets: Collection[int] = ()) -> None:
        """Set the sources up; nothing is asked yet. `own_sockets` are inodes of the exporter's listeners."""
        clock = environment.clock
        self.lock = threading.Lock()
        self.config = config
        self.failure: Exception | None = None
        self.owners = Owners(environment.owners, environment.broker_clock)
        self._walks = WalkLimit(config)
        self._observers = QueueObservers(config)
        self.recorder = self._observers.recorder
        former = FormerTables(partial(ListenerTable, observers=self._observers))
        shared = SharedBySamplers(self.lock, clock, self._walks, former)
        self.namespace_scheduler = NamespaceScheduler(config, environment, shared)
        self._clock = clock
        own = NamespaceSampler(environment.own, config, shared)
        self._own = OwnNamespace(own, own_sockets, clock.monotonic())
        self._owners_runner = SourceRunner(self.owners, HOST, config, self.lock, environment.broker_clock)
        self._namespaces: tuple[NamespaceSampler, ...] = ()
        self._set_namespaces()
        # In the order in which they run when several are due.
        self._periodic = (*own.runners, self.namespace_scheduler.discovery_runner)
        self.cpu_budget = CpuBudget(environment.cpu_clocks)
        self.sandboxes = environment.sandboxes
        self._budget_report = BudgetReport()
        self._sampling_cpu = environment.broker_clock.cpu
        self._all_ran = threading.Event()
        self.requests = ThreadRequests()
        self._waiting = Waiting(self.requests.fileno(), *self.namespace_scheduler.ended_descriptors())
        self._thread: threading.Thread | None = None
        self._next_budget_at = clock.monotonic()
        self._due = clock.monotonic()
        # Whether listeners of some namespaces that there are at the start were not sampled yet.
        self._first_pass = True

    @property
    def namespaces(self) -> tuple[NamespaceSampler, ...]:
        """Every namespace that is sampled, the exporter's own first."""
        return (self._own.sampler, *self.namespace_scheduler.samplers)

    @property
    def runners(self) -> list[SourceRunner]:
        """Every source of every namespace that is sampled. The caller holds the lock."""
        of_namespaces = [runner for namespace in self.namespaces for runner in namespace.runners]
        scheduler = self.namespace_scheduler
        discovery = [scheduler.discovery_runner] if scheduler.discovery.wanted else []
        return [*of_namespaces, *discovery, self._owners_runner]

    def start(self, failed: Callable[[], object]) -> None:
        """Start the thread; `failed` is called from it where it cannot go on."""
        self._thread = threading.Thread(target=self._run, args=(failed,), name="sampler", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask the thread to end, and wait `timeout` seconds at most."""
        self._waiting.stop()
        if self._thread is not None:
            self._thread.join(timeout)

    def all_sources_ran(self) -> bool:
        """Tell whether every source ran once, with success or without."""
        return self._all_ran.is_set()

    def ready(self) -> bool:
        """Tell whether every source ran once, and any of them has a fresh answer; it needs no lock."""
        now = self._clock.monotonic()
        return self.all_sources_ran() and any(
            runner.stats.samples and runner.healthy(now) for runner in self._periodic
        )

    def late_seconds(self) -> float:
        """Return for how long the next tick has been due; it needs no lock."""
        return max(0.0, self._clock.monotonic() - self._due)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on.

        The sampling thread takes it between two ticks, as it reads without the lock what this changes. Any
        other thread waits for that, and raises RunError where it takes too long.
        """
        if self._thread is None:
            self._put_into_force(config)
            return
        try:
            self.requests.call(partial(self._put_into_force, config), _CONFIGURE_SECONDS)
        except TimeoutError:
            raise RunError(
                f"samples are late by {_CONFIGURE_SECONDS:g} s, so the configuration cannot be changed"
            ) from None

    def _put_into_force(self, config: Config) -> None:
        with self.lock:
            self.config = config
            self._walks.configure(config)
            self.recorder.configure(config)
            self._owners_runner.configure(config)
            self.namespace_scheduler.configure(config)
            for namespace in self.namespaces:
                namespace.configure(config, self._clock.monotonic())

    def sample(self) -> float:
        """Run every source that is due, and return the monotonic time at which the next one will be."""
        now = self._clock.monotonic()
        self.namespace_scheduler.detach_ended(now)
        self.requests.serve()
        self._run_due(self._periodic, now)
        self._own.look_for_waiting(now)
        more = self.namespace_scheduler.sample(now, source_report.report)
        self._set_namespaces()
        # Last, so that owners are found for what the others have just found, at the start for all at once.
        self._first_pass = self._first_pass and not self.namespace_scheduler.listeners_sampled()
        if not self._first_pass:
            self._run_due((self._owners_runner,), now)
        self._observers.tick(now, self.lock)
        self._keep_budget(self._clock.monotonic())
        if more:
            return now
        return self._next_due(now)

    def all_namespaces_sampled(self) -> bool:
        """Tell whether every namespace that was found was sampled, or tried, once."""
        return self.namespace_scheduler.all_sampled()

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
        return [state for namespace in self.namespaces for state in namespace.table.published(now)]

    def _set_namespaces(self) -> None:
        namespaces = self.namespaces
        if namespaces == self._namespaces:
            return
        if not set(namespaces) <= set(self._namespaces):
            # The listeners of a new namespace are published without an owner after a second, however slow
            # the budget has made the search.
            self._owners_runner.schedule.set_interval(self._owners_runner.schedule.interval)
        self._namespaces = namespaces
        self._walks.set_namespaces(len(namespaces))
        self.owners.set_namespaces({each.table: each.namespace for each in namespaces})

    def _run_due(self, runners: Iterable[SourceRunner], now: float) -> None:
        for runner in runners:
            if runner.schedule.is_due(now, _TOGETHER_SECONDS):
                runner.run(now)
                if runner.error_changed():
                    source_report.report(runner)

    def _run(self, failed: Callable[[], object]) -> None:
        try:
            while not self._waiting.wait(self._tick()):
                self._all_ran.set()
        except Exception as error:
            log.exception("sampling failed and cannot go on")
            self.failure = error
            failed()

    def _tick(self) -> float:
        """Sample, and return the seconds until the next tick."""
        self._due = self.sample()
        return max(0.0, self._due - self._clock.monotonic())

    def _next_due(self, now: float) -> float:
        dues = [runner.schedule.due for runner in self._periodic]
        if not self._owners_runner.idle:
            dues.append(self._owners_runner.schedule.due)
        return self.namespace_scheduler.wake_at(min(now if each is None else each for each in dues))

    def _keep_budget(self, now: float) -> None:
        """Slow down those that use more than their part of the budget."""
        if now < self._next_budget_at:
            return
        self._next_budget_at = now + _BUDGET_SECONDS
        runners = (*self._periodic, self._owners_runner)
        samples = sum(runner.stats.cpu_seconds for runner in runners) + self.namespace_scheduler.cpu_seconds()
        use = CpuUse(samples, self._sampling_cpu())
        share = self.cpu_budget.share_for_samples(self.config.sampling.cpu_budget_ratio, use, now)
        quiet = self._own.quiet(now) and bool(self.namespace_scheduler.slots)
        together = self._own.follow(self.namespace_scheduler.quiet_interval if quiet else None)
        alone = [runner for runner in self._periodic if runner not in together]
        owners = AtMost(self._owners_runner, share if self.owners.urgent else share * _RECHECK_PART)
        # All namespaces together get what one other source gets, or what that leaves; so do all walks.
        namespaces = self.namespace_scheduler.shares(together)
        limit_all((*alone, owners, namespaces, self._walks), share, now)
        self.namespace_scheduler.follow(namespaces, now)
        if self.cpu_budget.window is not None:
            longest = max(namespace.interval_seconds for namespace in self.namespaces)
            self._budget_report.note(self.cpu_budget.window, longest, now)

"""The loop: one thread that asks every source in its turn, and is the only one that writes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from exporter.config.model import Config
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.namespace import Namespace, host
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.owners.search import OwnerSearch
from exporter.sampling.budget import BudgetConsumer, share
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.owner_resolver import OwnerResolver
from exporter.sampling.source import Source

_BUDGET_SECONDS = 1.0
# Sources that are due so close to each other are asked in one go: waking up costs as much as asking.
_TOGETHER_SECONDS = 0.001

log = logging.getLogger(__name__)


class Sampler:
    """Samples until it is stopped. Whoever reads what it gathered holds `lock` meanwhile."""

    def __init__(
        self, config: Config, namespace: Namespace | None = None, broker: BrokerClient | None = None
    ) -> None:
        """Set the sources up, for the own namespace unless told; nothing is asked yet.

        `broker` is who enters other namespaces; without one they are not sampled.
        """
        self.lock = threading.Lock()
        self.config = config
        self._own = NamespaceSampler(namespace or host(), config, self.lock)
        # The own namespace, and behind it those that come and go.
        self.namespaces = [self._own]
        # Who may not see other users' processes asks the broker for them.
        owners = OwnerSearch(BrokeredProcesses(broker)) if broker is not None else None
        self.owner_resolver = OwnerResolver(
            self.namespaces, config.sampling.interval_seconds, self.lock, owners
        )
        if broker is not None:
            self.owner_resolver.source.external_cpu_seconds = broker.seconds
        self.namespace_scheduler = NamespaceScheduler(
            broker, config, self.namespaces, self.lock, self.owner_resolver.request_soon
        )
        # In the order in which they are asked when several are due.
        self._periodic = (*self._own.sources, self.namespace_scheduler.source)
        self.failure: Exception | None = None
        self._asked = threading.Event()
        # Held until it is time to stop. To wait for a lock takes less of the processor than an Event.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread: threading.Thread | None = None
        self._next_fit = 0.0
        self._due = time.monotonic()
        # Of sources that are gone nothing is kept.
        self._said: WeakKeyDictionary[Source, str | None] = WeakKeyDictionary()

    @property
    def sources(self) -> list[Source]:
        """Every source of every namespace that is sampled. The caller holds the lock."""
        known = [source for namespace in self.namespaces for source in namespace.sources]
        return [
            *known,
            *([self.namespace_scheduler.source] if self.namespace_scheduler.wanted() else []),
            self.owner_resolver.source,
        ]

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

    def asked(self) -> bool:
        """Tell whether every source was asked once, with or without an answer."""
        return self._asked.is_set()

    def ready(self) -> bool:
        """Tell whether every source was asked once, and any of them had an answer."""
        return self.asked() and any(source.samples for source in self._periodic)

    def late_seconds(self) -> float:
        """Return for how long the next turn of the loop has been due; it needs no lock."""
        return max(0.0, time.monotonic() - self._due)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on."""
        with self.lock:
            self.config = config
            self.owner_resolver.source.set_interval(config.sampling.interval_seconds)
            self.namespace_scheduler.configure(config)
            for namespace in self.namespaces:
                namespace.configure(config)

    def sample(self) -> float:
        """Ask every source that is due and return the monotonic time at which the next one will be."""
        now = time.monotonic()
        self._ask(self._periodic, now)
        more = self.namespace_scheduler.visit(now, self._report)
        # Last, so that it can name what the others have just found.
        self._ask((self.owner_resolver.source,), now)
        self._fit(time.monotonic())
        return (
            now if more else min(self.owner_resolver.source.due, *(source.due for source in self._periodic))
        )

    def all_asked(self) -> bool:
        """Tell whether every namespace that was found was visited, or tried, once."""
        return all(slot.due > float("-inf") for slot in self.namespace_scheduler.slots())

    def look_for_owners(self) -> None:
        """Look for owners a moment longer, and at nothing else."""
        self.owner_resolver.source.due = float("-inf")
        self._ask((self.owner_resolver.source,), time.monotonic())

    def all_named(self) -> bool:
        """Tell whether the owner of every listener was looked for."""
        return all(
            state.owner is not None
            for namespace in self.namespaces
            for state in namespace.states.values()
            if state.group.members
        )

    def shown(self, now: float) -> list[ListenerState]:
        """Return the listeners that belong on the page. The caller holds the lock."""
        return [
            state for namespace in self.namespaces for state in namespace.states.values() if state.shown(now)
        ]

    def _ask(self, sources: Sequence[Source], now: float) -> None:
        for source in sources:
            if source.due <= now + _TOGETHER_SECONDS:
                source.run(now)
                self._report(source)

    def _run(self, failed: Callable[[], object]) -> None:
        try:
            while not self._running.acquire(timeout=self._turn()):
                self._asked.set()
        except Exception as error:
            log.exception("sampling failed and cannot go on")
            self.failure = error
            failed()

    def _turn(self) -> float:
        """Sample, and return the seconds until it is time again."""
        self._due = self.sample()
        return max(0.0, self._due - time.monotonic())

    def _fit(self, now: float) -> None:
        """Slow down who uses more than its part of the budget."""
        if now < self._next_fit:
            return
        self._next_fit = now + _BUDGET_SECONDS
        # The other namespaces together get what a source of the own one gets, or what that leaves.
        takers: tuple[BudgetConsumer, ...] = (
            *self._periodic,
            self.owner_resolver.source,
            self.namespace_scheduler,
        )
        parts = share([taker.requested_share() for taker in takers], self.config.sampling.cpu_budget_ratio)
        for taker, part in zip(takers, parts, strict=True):
            taker.limit_to(part)

    def _report(self, source: Source) -> None:
        """Log a source's failure and its end once each, not on every sample."""
        error = str(source.error) if source.error is not None else None
        if error != self._said.get(source):
            self._said[source] = error
            fields = {"source": source.name, "netns": source.netns}
            if error is None:
                log.info("source works again", extra={"fields": fields})
            else:
                log.warning("source failed: %s", error, extra={"fields": fields})

"""The loop: one thread that asks every source in its turn, and is the only one that writes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from exporter.config.model import Config
from exporter.kernel.netns.broker_client import Broker
from exporter.kernel.netns.namespace import Namespace, host
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.owners.search import Owners
from exporter.sampling.budget import Taker, share
from exporter.sampling.listener_state import WatchedListener
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_scheduler import Rotation
from exporter.sampling.owner_resolver import Naming
from exporter.sampling.source import Source

_BUDGET_SECONDS = 1.0
# Sources that are due so close to each other are asked in one go: waking up costs as much as asking.
_TOGETHER_SECONDS = 0.001

log = logging.getLogger(__name__)


class Sampler:
    """Samples until it is stopped. Whoever reads what it gathered holds `lock` meanwhile."""

    def __init__(
        self, config: Config, namespace: Namespace | None = None, broker: Broker | None = None
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
        owners = Owners(BrokeredProcesses(broker)) if broker is not None else None
        self.naming = Naming(self.namespaces, config.sampling.interval_seconds, self.lock, owners)
        if broker is not None:
            self.naming.source.elsewhere = broker.seconds
        self.rotation = Rotation(broker, config, self.namespaces, self.lock, self.naming.welcome)
        # In the order in which they are asked when several are due.
        self._cadenced = (*self._own.sources, self.rotation.source)
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
        return [*known, *([self.rotation.source] if self.rotation.wanted() else []), self.naming.source]

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
        return self.asked() and any(source.samples for source in self._cadenced)

    def late_seconds(self) -> float:
        """Return for how long the next turn of the loop has been due; it needs no lock."""
        return max(0.0, time.monotonic() - self._due)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on."""
        with self.lock:
            self.config = config
            self.naming.source.pace(config.sampling.interval_seconds)
            self.rotation.configure(config)
            for namespace in self.namespaces:
                namespace.configure(config)

    def sample(self) -> float:
        """Ask every source that is due and return the monotonic time at which the next one will be."""
        now = time.monotonic()
        self._ask(self._cadenced, now)
        more = self.rotation.visit(now, self._report)
        # Last, so that it can name what the others have just found.
        self._ask((self.naming.source,), now)
        self._fit(time.monotonic())
        return now if more else min(self.naming.source.due, *(source.due for source in self._cadenced))

    def all_asked(self) -> bool:
        """Tell whether every namespace that was found was visited, or tried, once."""
        return all(turn.due > float("-inf") for turn in self.rotation.turns())

    def look_for_owners(self) -> None:
        """Look for owners a moment longer, and at nothing else."""
        self.naming.source.due = float("-inf")
        self._ask((self.naming.source,), time.monotonic())

    def all_named(self) -> bool:
        """Tell whether the owner of every listener was looked for."""
        return all(
            watched.owner is not None
            for namespace in self.namespaces
            for watched in namespace.watched.values()
            if watched.group.members
        )

    def shown(self, now: float) -> list[WatchedListener]:
        """Return the listeners that belong on the page. The caller holds the lock."""
        return [
            watched
            for namespace in self.namespaces
            for watched in namespace.watched.values()
            if watched.shown(now)
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
        takers: tuple[Taker, ...] = (*self._cadenced, self.naming.source, self.rotation)
        parts = share([taker.wants() for taker in takers], self.config.sampling.cpu_budget_ratio)
        for taker, part in zip(takers, parts, strict=True):
            taker.slow_to(part)

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

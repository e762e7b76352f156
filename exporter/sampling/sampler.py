"""The loop: one thread that asks every source in its turn, and is the only one that writes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from exporter.config.model import Config
from exporter.kernel.namespace import Namespace, host
from exporter.sampling.budget import share
from exporter.sampling.listener import WatchedListener
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.naming import Naming
from exporter.sampling.source import Source

_BUDGET_SECONDS = 1.0
# Sources that are due so close to each other are asked in one go: waking up costs as much as asking.
_TOGETHER_SECONDS = 0.001

log = logging.getLogger(__name__)


class Sampler:
    """Samples until it is stopped. Whoever reads what it gathered holds `lock` meanwhile."""

    def __init__(self, config: Config, namespaces: Sequence[Namespace] | None = None) -> None:
        """Set the sources up, for the own namespace unless told; nothing is asked yet."""
        self.lock = threading.Lock()
        self.config = config
        asked = [host()] if namespaces is None else namespaces
        self.namespaces = [NamespaceSampler(namespace, config, self.lock) for namespace in asked]
        self.naming = Naming(self.namespaces, config.sampling.interval_seconds, self.lock)
        # In the order in which they are asked when several are due.
        self.sources = [source for namespace in self.namespaces for source in namespace.sources]
        self.sources.append(self.naming.source)
        self.failure: Exception | None = None
        self._asked = threading.Event()
        # Held until it is time to stop. To wait for a lock takes less of the processor than an Event.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread: threading.Thread | None = None
        self._next_fit = 0.0
        self._said: dict[Source, str | None] = {}

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

    def ready(self) -> bool:
        """Tell whether every source was asked once, and any of them had an answer."""
        return self._asked.is_set() and any(source.samples for source in self.sources)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on."""
        with self.lock:
            self.config = config
            self.naming.source.pace(config.sampling.interval_seconds)
            for namespace in self.namespaces:
                namespace.configure(config)

    def sample(self) -> float:
        """Ask every source that is due and return the monotonic time at which the next one will be."""
        now = time.monotonic()
        for source in self.sources:
            if source.due <= now + _TOGETHER_SECONDS:
                source.run(now)
                self._report(source)
        self._fit(time.monotonic())
        return min(source.due for source in self.sources)

    def shown(self, now: float) -> list[WatchedListener]:
        """Return the listeners that belong on the page. The caller holds the lock."""
        return [
            watched
            for namespace in self.namespaces
            for watched in namespace.watched.values()
            if watched.shown(now)
        ]

    def _run(self, failed: Callable[[], object]) -> None:
        try:
            while not self._running.acquire(timeout=max(0.0, self.sample() - time.monotonic())):
                self._asked.set()
        except Exception as error:
            log.exception("sampling failed and cannot go on")
            self.failure = error
            failed()

    def _fit(self, now: float) -> None:
        """Slow down who uses more than its part of the budget."""
        if now < self._next_fit:
            return
        self._next_fit = now + _BUDGET_SECONDS
        sources = self.sources
        parts = share([source.wants() for source in sources], self.config.sampling.cpu_budget_ratio)
        for source, part in zip(sources, parts, strict=True):
            source.slow_to(part)

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

"""Where the documents come from that are shown: this host, or a running exporter."""

from __future__ import annotations

import threading
from typing import Any, Final, Protocol, Self
from urllib.parse import urlencode

from exporter.api.history import History
from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery, QueryError
from exporter.cli import remote
from exporter.cli.host_sampling import check, sampled_host, with_watch_budget
from exporter.cli.listener_flags import Patterns
from exporter.cli.show import running_exporter
from exporter.cli.top_flags import TopFlags
from exporter.errors import RunError
from exporter.sampling.clock import Clock
from exporter.sampling.sampler import Sampler

Document = dict[str, Any]

_HOST_SECONDS: Final = 0.1
# A client that asks more often waits for processor time while others do.
_REMOTE_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 2.0
_HISTORY_PATH: Final = "/api/v1/history"


class Feed(Protocol):
    """Each method raises RunError where nothing can be read."""

    @property
    def interval_seconds(self) -> float:
        """How often there is something new."""
        ...

    def listeners(self, query: ListenerQuery) -> Document:
        """Return the document of listeners (exporter.api.listeners)."""
        ...

    def history(self, patterns: Patterns) -> Document:
        """Return the document of the last minutes (exporter.api.history)."""
        ...

    def close(self) -> None:
        """End what runs for it."""
        ...


class HostFeed:
    """This host, sampled in a thread."""

    interval_seconds: Final = _HOST_SECONDS

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        """Start to sample."""
        self._sampler = sampler
        self._clock = clock
        self._listeners = Listeners(sampler, clock)
        self._history = History(sampler, clock)
        self._ended = threading.Event()
        sampler.start(failed=self._ended.set)

    @classmethod
    def of(cls, flags: TopFlags, clock: Clock) -> Self:
        """Return one of the configuration that the flags name. Raises RunError and UsageError."""
        return cls(sampled_host(flags.config_file, clock, with_watch_budget), clock)

    def listeners(self, query: ListenerQuery) -> Document:
        """Return the document of listeners."""
        if self._ended.is_set():
            raise RunError(f"sampling has ended: {self._sampler.failure}")
        check(self._sampler, self._clock)
        try:
            return self._listeners.document(query)
        except QueryError as error:
            raise RunError(str(error)) from error

    def history(self, patterns: Patterns) -> Document:
        """Return the document of the last minutes."""
        return self._history.document(ListenerQuery(patterns))

    def close(self) -> None:
        """Sample no more."""
        self._sampler.stop(_STOP_SECONDS)


class RemoteFeed:
    """A running exporter."""

    interval_seconds: Final = _REMOTE_SECONDS

    def __init__(self, url: str) -> None:
        self._url = url

    def listeners(self, query: ListenerQuery) -> Document:
        """Return the document of listeners."""
        return running_exporter.document(self._url, query)

    def history(self, patterns: Patterns) -> Document:
        """Return the document of the last minutes."""
        query = urlencode(patterns)
        return remote.document(self._url, f"{_HISTORY_PATH}?{query}" if query else _HISTORY_PATH)

    def close(self) -> None:
        """Nothing runs for it."""


def open_feed(flags: TopFlags, clock: Clock) -> Feed:
    """Return the one that the flags ask for. Raises RunError and UsageError."""
    if flags.url is None:
        return HostFeed.of(flags, clock)
    remote.check(flags.url)
    return RemoteFeed(flags.url)

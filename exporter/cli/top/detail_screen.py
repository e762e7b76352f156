"""The screen with the detail of one listener."""

from __future__ import annotations

import threading
import time
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from exporter.api.query import ListenerQuery
from exporter.cli import table
from exporter.cli.listener_flags import Patterns
from exporter.cli.show import clients
from exporter.cli.top.detail import detail_lines, find
from exporter.cli.top.feed import Feed
from exporter.cli.top.recent import ListenerKey, patterns_of
from exporter.errors import RunError

_SECONDS: Final = 1.0
_CLIENTS: Final = 10
_CLIENTS_SECONDS: Final = 5.0


class DetailScreen(Screen[None]):
    """All that is known of one listener, read anew each second."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "app.pop_screen", "back")]

    def __init__(self, feed: Feed, key: ListenerKey) -> None:
        super().__init__()
        self._feed = feed
        self._key = key
        self._clients: list[str] = []
        self._clients_at: float | None = None
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Return the parts of the screen."""
        with VerticalScroll():
            yield Static("reading ...", id="detail", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read."""
        self.run_worker(self._read, thread=True)

    def on_unmount(self) -> None:
        """Read no more."""
        self._ended.set()

    def _read(self) -> None:
        while not self._ended.is_set():
            text = self._text()
            if not self._ended.is_set():
                self.app.call_from_thread(self._show, text)
            self._ended.wait(_SECONDS)

    def _show(self, text: str) -> None:
        self.query_one("#detail", Static).update(text)

    def _text(self) -> str:
        patterns = patterns_of(self._key)
        try:
            listener = find(self._feed.listeners(ListenerQuery(patterns, members=True)), self._key)
            if listener is None:
                return "this listener is there no more"
            lines = list(detail_lines(listener, self._feed.history(patterns)))
        except RunError as error:
            return table.printable(str(error))
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
            return "what answers there is no listen-queue-exporter of this version"
        self._read_clients(patterns)
        return "\n".join([*lines, "", *self._clients])

    def _read_clients(self, patterns: Patterns) -> None:
        """Read who waits, now and then: the kernel looks at every connection for it."""
        now = time.monotonic()
        if self._clients_at is not None and now - self._clients_at < _CLIENTS_SECONDS:
            return
        self._clients_at = now
        try:
            found = find(self._feed.listeners(ListenerQuery(patterns, clients=_CLIENTS)), self._key)
        except RunError as error:
            self._clients = [f"clients: {table.printable(str(error))}"]
        else:
            self._clients = [] if found is None else clients.lines(found.row)

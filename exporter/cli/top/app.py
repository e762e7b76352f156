"""The program in the terminal: a table that changes, keys, and the detail of one listener.

Source: Textual's guide (https://textual.textualize.io/guide/), of workers and screens.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any, ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static
from textual.worker import get_current_worker

from exporter.api.query import ListenerQuery
from exporter.cli import table
from exporter.cli.listener_flags import Patterns
from exporter.cli.top.detail_screen import DetailScreen
from exporter.cli.top.feed import Feed
from exporter.cli.top.listener_table import ListenersTable
from exporter.cli.top.rates import Rates
from exporter.cli.top.recent import Recent
from exporter.cli.top.view import Order, Reading, chosen_namespaces
from exporter.errors import RunError

# More rows would take longer to draw than there is time; a filter finds the others.
_MAX_ROWS: Final = 500
_SCROLLBAR: Final = 2


class Line(Static):
    """A text that is drawn where it has changed alone: to lay out the screen takes most of the time."""

    shown = ""

    def show(self, text: str) -> None:
        """Show a text."""
        if text != self.shown:
            self.update(text, layout=text.count("\n") != self.shown.count("\n") or not (text and self.shown))
            self.shown = text


class TopApp(App[None]):
    """Shows what a feed has. The feed is read in a thread, for as long as the program runs."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
        Screen { overflow: hidden; }
        #heading, #mode, #notes { height: auto; }
        #notes { color: $warning; max-height: 25%; }
        ListenersTable { height: 1fr; }
        #filter { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter"),
        Binding("p,space", "pause", "pause"),
        Binding("escape", "clear_filter", show=False),
    ]

    def __init__(self, feed: Feed, patterns: Patterns = ()) -> None:
        super().__init__()
        self._feed = feed
        self._patterns = patterns
        self._rates = Rates()
        self._recent = Recent()
        self._reading: Reading | None = None
        self._order = Order.STATE
        self._words = ""
        self._paused = False
        self._failure = ""
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Return the parts of the screen, from above to below."""
        yield Line(id="heading", markup=False)
        yield Line(id="mode", markup=False)
        yield Line(id="notes", markup=False)
        yield ListenersTable(self._recent)
        yield Input(placeholder="words that a listener must have", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.query_one(ListenersTable).focus()
        self.run_worker(self._read, thread=True, group="feed")

    def on_unmount(self) -> None:
        """Read no more."""
        self._ended.set()

    def _read(self) -> None:
        """Read the feed until the program ends; in a thread."""
        worker = get_current_worker()
        while not (worker.is_cancelled or self._ended.is_set()):
            try:
                document = self._feed.listeners(ListenerQuery(self._patterns))
            except RunError as error:
                self.call_from_thread(self._fail, str(error))
            else:
                self.call_from_thread(self._take, document)
            self._ended.wait(self._feed.interval_seconds)

    def _fail(self, reason: str) -> None:
        """Show no figures that may be old."""
        self._failure, self._reading = reason, None
        self._show()

    def _take(self, document: dict[str, Any]) -> None:
        now = time.monotonic()
        self._failure = ""
        self._rates.note(now, chosen_namespaces(document["namespaces"], self._patterns))
        reading = Reading.of(document, self._rates)
        self._recent.note(now, reading.listeners)
        if not self._paused or self._reading is None:
            self._reading = reading
            self._show()

    def on_resize(self) -> None:
        """Use the width that there is."""
        self._show()

    def _show(self, *, sort: bool = False) -> None:
        reading = self._reading
        notes = [self._failure] if reading is None else list(reading.not_seen)
        mode = [f"sorted by {self._order}", *(["PAUSED"] if self._paused else [])]
        if self._words:
            mode.append(f"filter: {self._words}")
        chosen = [] if reading is None else reading.chosen(self._order, self._words, self._recent)
        if len(chosen) > _MAX_ROWS:
            notes.append(f"{len(chosen) - _MAX_ROWS} more; / finds them")
        heading = "" if reading is None else reading.heading(chosen)
        self.query_one("#heading", Line).show(table.printable(heading))
        self.query_one("#mode", Line).show(table.printable("   ".join(mode)))
        self.query_one("#notes", Line).show("\n".join(map(table.printable, filter(None, notes))))
        self.query_one(ListenersTable).show(chosen[:_MAX_ROWS], self.size.width - _SCROLLBAR, sort=sort)

    def action_sort(self) -> None:
        """Sort by the next order."""
        self._order = self._order.next
        self._show(sort=True)

    def action_pause(self) -> None:
        """Keep what is shown, or go on."""
        self._paused = not self._paused
        self._show()

    def action_filter(self) -> None:
        """Ask for words."""
        asked = self.query_one(Input)
        asked.display = True
        asked.focus()

    def action_clear_filter(self) -> None:
        """Show every listener again."""
        self.query_one(Input).value = ""
        self._end_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the listeners that have the words."""
        self._words = event.value
        self._show(sort=True)

    def on_input_submitted(self) -> None:
        """Go back to the table."""
        self._end_filter()

    def _end_filter(self) -> None:
        self.query_one(Input).display = False
        self.query_one(ListenersTable).focus()

    def on_data_table_row_selected(self) -> None:
        """Show the detail of the row."""
        key = self.query_one(ListenersTable).selected
        if key is not None:
            self.push_screen(DetailScreen(self._feed, key))

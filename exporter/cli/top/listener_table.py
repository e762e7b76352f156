"""The table of listeners, of which what has changed is drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from exporter.api.queue_state import QueueState
from exporter.cli.show.listener import ShownListener
from exporter.cli.top import columns
from exporter.cli.top.recent import ListenerKey, Recent, key_of

# Rows change places no more often, so that they can be read.
_SORT_SECONDS: Final = 1.0
_STYLES: Final = {
    QueueState.FULL: "bold red",
    QueueState.CRITICAL: "bold red",
    QueueState.WARNING: "yellow",
    QueueState.OK: "green",
    None: "bold",
}


class ListenersTable(DataTable[Text]):
    """A row for each listener, with what `recent` has kept of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "detail")]

    def __init__(self, recent: Recent) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True)
        self._recent = recent
        self._drawn_at = 0.0
        self._drawn: list[ListenerKey] = []
        self._layout = columns.Layout((), ())

    @property
    def selected(self) -> ListenerKey | None:
        """The listener in the row of the cursor."""
        return self._drawn[self.cursor_row] if 0 <= self.cursor_row < len(self._drawn) else None

    def show(self, listeners: Sequence[ShownListener], width: int, *, sort: bool) -> None:
        """Show these listeners in `width` columns.

        They get another order once a second, or at once with `sort`; meanwhile they stay where they are, and
        the cells that have changed are drawn.
        """
        now = time.monotonic()
        by_key = {key_of(each): each for each in listeners}
        layout = columns.layout(listeners, width)
        has_changed = layout != self._layout or by_key.keys() != set(self._drawn)
        is_sorted = list(by_key) == self._drawn
        if has_changed or (not is_sorted and (sort or now - self._drawn_at >= _SORT_SECONDS)):
            self._draw(by_key, layout, now)
            return
        for row, key in enumerate(self._drawn):
            for column, cell in enumerate(self._cells(by_key[key], now)):
                if self.get_cell_at(Coordinate(row, column)) != cell:
                    self.update_cell_at(Coordinate(row, column), cell)

    def _draw(self, by_key: Mapping[ListenerKey, ShownListener], layout: columns.Layout, now: float) -> None:
        selected = self.selected
        has_other_columns = layout != self._layout
        self._drawn, self._drawn_at, self._layout = list(by_key), now, layout
        self.clear(columns=has_other_columns)
        if has_other_columns:
            for column, width in zip(layout.columns, layout.widths, strict=True):
                self.add_column(column.title, width=width)
        for listener in by_key.values():
            self.add_row(*self._cells(listener, now))
        if selected is not None and selected in by_key:
            self.move_cursor(row=self._drawn.index(selected))

    def _cells(self, listener: ShownListener, now: float) -> list[Text]:
        shares = self._recent.shares(key_of(listener), now, self._layout.minute)
        texts = columns.cells(self._layout, listener, shares)
        style = _STYLES[listener.state]
        return [
            Text(text, style=style if column.has_state else "", no_wrap=True)
            for column, text in zip(self._layout.columns, texts, strict=True)
        ]

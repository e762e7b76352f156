"""The table of listeners: a line for each, with a bar for its queue and a colour for its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.api.queue_state import QueueState
from exporter.cli import table
from exporter.cli.bar import bar
from exporter.cli.colour import Colour, painted
from exporter.cli.show import clients
from exporter.cli.show.columns import Column, Layout, columns, fitted
from exporter.cli.show.listener import ShownListener
from exporter.cli.terminal import Terminal

_COLOURS: Final = {
    QueueState.FULL: Colour.RED,
    QueueState.CRITICAL: Colour.RED,
    QueueState.WARNING: Colour.YELLOW,
    QueueState.OK: Colour.GREEN,
    None: Colour.BOLD,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """The cells of one line in the order of the columns, what its bar shows, and the colour of its state."""

    cells: tuple[str, ...]
    share: float | None
    colour: Colour | None


def listing(listeners: Sequence[ShownListener], terminal: Terminal, *, peaks: bool) -> str:
    """Return the table, as wide as the terminal at most; `peaks` tells whether queues were watched.

    Below each listener stand its sockets and its clients, where they were asked for.
    """
    every = columns(listeners, peaks=peaks)
    groups = [list(_lines(listener, every, terminal)) for listener in listeners]
    lines = [line for group in groups for line in group]
    cells = [
        tuple("" if column.has_bar else column.title for column in every),
        *(line.cells for line in lines),
    ]
    widths = tuple(max(map(table.width, column)) for column in zip(*cells, strict=True))
    layout = fitted(every, widths, terminal.width)
    printed = [_heading(layout)]
    for listener, group in zip(listeners, groups, strict=True):
        printed += [_printed(line, every, layout, terminal) for line in group]
        printed += clients.lines(listener.row, terminal)
    return "\n".join(printed)


def _lines(listener: ShownListener, every: Sequence[Column], terminal: Terminal) -> Iterator[_Line]:
    cells = tuple(terminal.carried(column.of(listener)) for column in every)
    yield _Line(cells, listener.share, _COLOURS[listener.state])
    for member in listener.members:
        full = _COLOURS[QueueState.FULL] if (member.share or 0.0) >= 1 else None
        yield _Line(tuple(column.of_member(member) for column in every), member.share, full)


def _heading(layout: Layout) -> str:
    pairs = zip(layout.columns, layout.whole_widths, strict=True)
    titles = [table.padded(column.title, width, left=column.left) for column, width in pairs]
    return (" " * layout.gap).join(titles).rstrip()


def _printed(line: _Line, every: Sequence[Column], layout: Layout, terminal: Terminal) -> str:
    cells = dict(zip(every, line.cells, strict=True))
    shown = []
    for column, whole in zip(layout.columns, layout.whole_widths, strict=True):
        width = whole - layout.bar_space(column)
        text = table.padded(column.cut(cells[column], width), width, left=column.left)
        if column.has_bar and layout.bar:
            text += " " + _bar(line, layout.bar, terminal)
        elif column.has_state and line.colour and terminal.colours:
            text = painted(text.rstrip(), line.colour) if text.strip() else text
        shown.append(text)
    return (" " * layout.gap).join(shown).rstrip()


def _bar(line: _Line, width: int, terminal: Terminal) -> str:
    if line.share is None:
        return " " * width
    drawn = bar(line.share, width, blocks=terminal.blocks)
    # The bar of an empty queue needs nobody's attention.
    return painted(drawn, line.colour) if terminal.colours and line.colour and line.share > 0 else drawn

"""The columns of the table of listeners, and which of them, how wide, a terminal has space for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.cli import table
from exporter.cli.show.listener import ShownListener
from exporter.kernel.netns.host_label import HOST


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `of` is its cell of a listener, `of_member` that of a socket of one.

    Cells are at the right of it, or at the `left`. Names are cut where space is short: first to `enough`
    columns, at last to `least`. `has_bar` is set where a bar follows the cell, `has_state` where the cell has
    the colour of the state. The column with the lowest `priority` is the first to be left out; one without
    stays. `cut` shortens a cell.
    """

    title: str
    of: Callable[[ShownListener], str]
    of_member: Callable[[ShownListener], str] = lambda _: ""
    left: bool = False
    enough: int | None = None
    least: int | None = None
    has_bar: bool = False
    has_state: bool = False
    priority: int | None = None
    cut: Callable[[str, int], str] = table.cut


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns, the widths of their cells without bars, the blanks between them, and the width of a bar."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    gap: int
    bar: int

    @property
    def whole_widths(self) -> list[int]:
        """The widths of the columns with their bars."""
        return [
            max(width + self.bar_space(column), len(column.title))
            for column, width in zip(self.columns, self.widths, strict=True)
        ]

    def bar_space(self, column: Column) -> int:
        """Return how much of a column is for a bar, and the blank before it."""
        return self.bar + 1 if column.has_bar and self.bar else 0

    @property
    def total(self) -> int:
        """The width of a line."""
        return sum(self.whole_widths) + self.gap * (len(self.columns) - 1)


# A place that is cut to less than this says nothing.
_LEAST_PLACE: Final = 8
# What is tried until a line fits: the blanks, the width of a bar, and to what names are cut.
_ATTEMPTS: Final[tuple[tuple[int, int, Callable[[Column], int | None]], ...]] = (
    (2, 10, lambda _: None),
    (2, 10, lambda column: column.enough),
    (2, 6, lambda column: column.enough),
    (1, 6, lambda column: column.enough),
    (1, 6, lambda column: column.least),
    (1, 3, lambda column: column.least),
    (1, 0, lambda column: column.least),
)


def cut_owner(text: str, limit: int) -> str:
    """Shorten the place where a program runs, or leave it out where too little of it would be left."""
    process, separator, place = text.rpartition(" (")
    if not separator or table.width(text) <= limit:
        return table.cut(text, limit)
    space = limit - table.width(process) - len(" ()")
    return (
        table.cut(process, limit) if space < _LEAST_PLACE else f"{process} ({table.cut(place[:-1], space)})"
    )


def columns(listeners: Sequence[ShownListener], *, peaks: bool) -> tuple[Column, ...]:
    """Return the columns for these listeners; `peaks` tells whether they were watched."""
    others = any(each.text("netns") != HOST for each in listeners)
    return (
        Column(
            "LISTENER",
            lambda each: each.endpoint,
            lambda each: f"  socket {each.count('inode')}",
            left=True,
            enough=24,
            least=12,
        ),
        *((_NETNS,) if others else ()),
        Column(
            "OWNER",
            lambda each: each.owner,
            lambda each: f"pid {each.count('pid')}",
            left=True,
            enough=20,
            least=9,
            priority=5,
            cut=cut_owner,
        ),
        Column("QUEUE", lambda each: each.queue, lambda each: each.queue, has_bar=True),
        *((_peak(listeners),) if peaks else ()),
        Column("SYN", lambda each: each.count("syn_recv"), priority=2),
        Column(
            "DROPS",
            lambda each: each.drops,
            lambda each: each.drops,
            priority=0,
        ),
        Column("OLDEST", lambda each: each.oldest_wait, priority=1),
        Column("STATE", lambda each: each.state or "unknown", left=True, has_state=True),
    )


def fitted(every: tuple[Column, ...], widths: tuple[int, ...], limit: int | None) -> Layout:
    """Return the widest layout that fits into `limit` columns; `widths` are those of the longest cells.

    Where names are as short as they may be and there is no bar, columns are left out.
    """
    layout = Layout(every, widths, 2, 10)
    for gap, bar, floor in _ATTEMPTS:
        layout = Layout(every, widths, gap, bar)
        layout = layout if limit is None else _with_names_cut(layout, limit, floor)
        if limit is None or layout.total <= limit:
            return layout
    optional = [each.priority for each in every if each.priority is not None]
    if not optional:
        return layout
    kept = [pair for pair in zip(every, widths, strict=True) if pair[0].priority != min(optional)]
    return fitted(tuple(each for each, _ in kept), tuple(width for _, width in kept), limit)


def _with_names_cut(layout: Layout, limit: int, floor: Callable[[Column], int | None]) -> Layout:
    """Cut the widest name, again and again, until a line fits or every name is at its floor."""
    widths = list(layout.widths)
    floors = [floor(column) for column in layout.columns]
    for _ in range(layout.total - limit):
        spare = [
            (width, index)
            for index, (width, least) in enumerate(zip(widths, floors, strict=True))
            if least is not None and width > least
        ]
        if not spare:
            break
        widths[max(spare)[1]] -= 1
    return Layout(layout.columns, tuple(widths), layout.gap, layout.bar)


_NETNS: Final = Column("NETNS", lambda each: each.netns, left=True, enough=16, least=7, priority=4)


def _peak(listeners: Sequence[ShownListener]) -> Column:
    watched = max((each.number("peak_seconds") or 0.0 for each in listeners), default=0.0)
    seconds = round(watched, 1 if watched < 1 else None)
    return Column(f"PEAK {seconds:g}s", lambda each: each.count("accept_peak_length"), priority=3)

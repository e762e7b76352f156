"""The columns of `top`, and which of them, how wide, a terminal has space for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.cli import table
from exporter.cli.bar import bar
from exporter.cli.show.listener import ShownListener
from exporter.cli.sparkline import sparkline
from exporter.kernel.netns.host_label import HOST

_BAR: Final = 8
_MINUTE: Final = "MINUTE"
_MINUTE_AT_LEAST: Final = 8
_MINUTE_AT_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `of` returns its cell from a listener and the shares of its last minute.

    It is as wide as its longest cell, and `width` columns of a terminal at least. One with a `priority` is
    left out where there is no space, the lowest first. `is_name` is set where a cell may be cut: these share
    what the others leave. `has_state` is set where a cell has the colour of the state.
    """

    title: str
    of: Callable[[ShownListener, Sequence[float]], str]
    width: int = 0
    is_name: bool = False
    priority: int | None = None
    has_state: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns and their widths."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]

    @property
    def minute(self) -> int:
        """How many columns the line of the last minute has, 0 where it is left out."""
        pairs = zip(self.columns, self.widths, strict=True)
        return next((width for column, width in pairs if column.title == _MINUTE), 0)


_NAMES_AT_LEAST: Final = 30
_NAME_AT_LEAST: Final = len("...")
# What the owner may have of it where both are long.
_OWNER_PART: Final = 0.4
# A table has a blank on both sides of a cell.
_PADDING: Final = 2
_LISTENER: Final = Column("LISTENER", lambda each, _: each.endpoint, is_name=True)
_NETNS: Final = Column("NETNS", lambda each, _: table.cut(each.netns, 12), 12, priority=4)
_OWNER: Final = Column("OWNER", lambda each, _: each.owner, is_name=True)
_OTHERS: Final = (
    Column("QUEUE", lambda each, _: each.queue, 9),
    Column(
        "",
        lambda each, _: "" if each.share is None else bar(each.share, _BAR, blocks=True),
        _BAR,
        has_state=True,
    ),
    Column(_MINUTE, lambda _, shares: sparkline(shares), _MINUTE_AT_LEAST, priority=5),
    Column("SYN", lambda each, _: each.count("syn_recv"), 5, priority=2),
    Column("DROPS", lambda each, _: each.drops, 5, priority=0),
    Column("OLDEST", lambda each, _: each.oldest_wait, 6, priority=1),
    Column("STATE", lambda each, _: each.state or "unknown", 8, has_state=True),
)


def layout(listeners: Sequence[ShownListener], width: int) -> Layout:
    """Return the columns for these listeners that fit into a width.

    Figures are never cut: where the columns that stay are wider, the table is wider than the terminal.
    """
    several = any(each.text("netns") != HOST for each in listeners)
    found = {
        column: max(_longest(column, listeners), column.width)
        for column in (*([_NETNS] if several else []), *_OTHERS)
    }
    while _left(found, width) < _NAMES_AT_LEAST:
        optional = [each for each in found if each.priority is not None]
        if not optional:
            break
        del found[min(optional, key=lambda each: each.priority or 0)]
    for column in found:
        if column.title == _MINUTE:
            # Names get the other half.
            spare = (_left(found, width) - _NAMES_AT_LEAST) // 2
            found[column] += min(spare, _MINUTE_AT_MOST - _MINUTE_AT_LEAST)
    left = max(_left(found, width), 2 * _NAME_AT_LEAST)
    most = max(int(left * _OWNER_PART), _NAME_AT_LEAST, left - _longest(_LISTENER, listeners))
    owner = min(max(_longest(_OWNER, listeners), len(_OWNER.title)), most)
    netns = {column: size for column, size in found.items() if column is _NETNS}
    ordered = {_LISTENER: left - owner, **netns, _OWNER: owner} | found
    return Layout(tuple(ordered), tuple(ordered.values()))


def cells(shown: Layout, listener: ShownListener, shares: Sequence[float]) -> tuple[str, ...]:
    """Return the cells of a listener; names are cut to the widths."""
    return tuple(
        table.cut(column.of(listener, shares), width) if column.is_name else column.of(listener, shares)
        for column, width in zip(shown.columns, shown.widths, strict=True)
    )


def _longest(column: Column, listeners: Sequence[ShownListener]) -> int:
    return max((table.width(column.of(each, ())) for each in listeners), default=0)


def _left(found: dict[Column, int], width: int) -> int:
    """Return what is left for the two names."""
    return width - sum(size + _PADDING for size in found.values()) - 2 * _PADDING

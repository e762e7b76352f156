"""The columns of `top`, and which of them a terminal has space for."""

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
MINUTE: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `of` returns its cell from a listener and the shares of its last minute.

    `width` is in columns of a terminal. One with a `priority` is left out where there is no space, the
    lowest first. Names, which have a `part`, share what the others leave. `has_state` is set where a cell has
    the colour of the state.
    """

    title: str
    of: Callable[[ShownListener, Sequence[float]], str]
    width: int = 0
    part: float = 0.0
    priority: int | None = None
    has_state: bool = False


_NAMES_AT_LEAST: Final = 30
# A table has a blank on both sides of a cell.
_PADDING: Final = 2
_LISTENER: Final = Column("LISTENER", lambda each, _: each.endpoint, part=0.6)
_NETNS: Final = Column("NETNS", lambda each, _: each.netns, 12, priority=4)
_OWNER: Final = Column("OWNER", lambda each, _: each.owner, part=0.4)
_OTHERS: Final = (
    Column("QUEUE", lambda each, _: each.queue, 9),
    Column(
        "",
        lambda each, _: "" if each.share is None else bar(each.share, _BAR, blocks=True),
        _BAR,
        has_state=True,
    ),
    Column("LAST MINUTE", lambda _, shares: sparkline(shares), MINUTE, priority=5),
    Column("SYN", lambda each, _: each.count("syn_recv"), 5, priority=2),
    Column("DROPS", lambda each, _: each.count("drops_total"), 7, priority=0),
    Column("OLDEST", lambda each, _: each.oldest_wait, 6, priority=1),
    Column("STATE", lambda each, _: each.state or "unknown", 8, has_state=True),
)


def columns(listeners: Sequence[ShownListener], width: int) -> tuple[Column, ...]:
    """Return the columns that fit into a width."""
    several = any(each.text("netns") != HOST for each in listeners)
    found = [_LISTENER, *([_NETNS] if several else []), _OWNER, *_OTHERS]
    while _left(found, width) < _NAMES_AT_LEAST:
        optional = [each for each in found if each.priority is not None]
        if not optional:
            break
        found.remove(min(optional, key=lambda each: each.priority or 0))
    return tuple(found)


def widths(found: Sequence[Column], width: int) -> tuple[int, ...]:
    """Return the width of each column where all together have a width."""
    left = max(_left(found, width), 2 * len("..."))
    return tuple(each.width or int(left * each.part) for each in found)


def cells(
    found: Sequence[Column], each_width: Sequence[int], listener: ShownListener, shares: Sequence[float]
) -> tuple[str, ...]:
    """Return the cells of a listener, cut to the widths."""
    return tuple(
        table.cut(column.of(listener, shares), width) for column, width in zip(found, each_width, strict=True)
    )


def _left(found: Sequence[Column], width: int) -> int:
    return width - sum(each.width + _PADDING for each in found)

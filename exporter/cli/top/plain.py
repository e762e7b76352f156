"""The table anew each second, for terminals that can do little."""

from __future__ import annotations

import os
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NoReturn

from exporter.api.query import ListenerQuery
from exporter.cli import colour, output, table
from exporter.cli.listener_flags import Patterns
from exporter.cli.show.listing import listing
from exporter.cli.terminal import Terminal
from exporter.cli.top.feed import Feed
from exporter.cli.top.rates import Rates
from exporter.cli.top.view import Reading, chosen_namespaces
from exporter.errors import RunError

_SECONDS: Final = 1.0
_ROWS: Final = 24
_COLUMNS: Final = 80
# ECMA-48: the cursor to the first cell, and all from there on erased.
_CLEAR: Final = "\x1b[H\x1b[J"


def run(feed: Feed, patterns: Patterns, hint: str = "") -> NoReturn:
    """Print until a signal ends the program, `hint` below the first line.

    Raises RunError where the first reading fails.
    """
    rates = Rates()
    # A terminal that is called so takes no control sequences: there the tables follow each other.
    begin = "\n" if os.environ.get("TERM", "dumb") == "dumb" else _CLEAR
    text = _text(feed, patterns, rates, hint)
    while True:
        output.write(begin + text)
        time.sleep(_SECONDS)
        try:
            text = _text(feed, patterns, rates, hint)
        except RunError as error:
            text = f"{table.printable(str(error))}\n"


def _text(feed: Feed, patterns: Patterns, rates: Rates, hint: str) -> str:
    document = feed.listeners(ListenerQuery(patterns))
    rates.note(time.monotonic(), chosen_namespaces(document["namespaces"], patterns))
    reading = Reading.of(document, rates)
    terminal = Terminal.of(sys.stdout, os.environ)
    lines = [
        reading.heading(reading.listeners),
        *([hint] if hint else []),
        *(terminal.carried(f"not seen: {table.printable(each)}") for each in reading.not_seen),
        *listing(reading.listeners, terminal, peaks=True).splitlines(),
    ]
    rows = os.get_terminal_size(sys.stdout.fileno()).lines
    return "\n".join(fitting(lines, rows, terminal.width or _COLUMNS)) + "\n"


def fitting(lines: Sequence[str], rows: int, columns: int) -> Sequence[str]:
    """Return as many lines as a terminal has rows for, and how many more there are.

    A line that is longer than a row has `columns` takes several. Terminals that do not tell their size, as
    serial consoles, have 0 rows.
    """
    # The cursor stands in the last row.
    available = (rows or _ROWS) - 1
    taken = list(accumulate(max(1, -(-table.width(colour.without(line)) // columns)) for line in lines))
    if not taken or taken[-1] <= available:
        return lines
    shown = bisect_right(taken, available - 1)
    return [*lines[:shown], f"{len(lines) - shown} more"]

"""The table anew each second, for terminals that can do little."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Final, NoReturn

from exporter.api.query import ListenerQuery
from exporter.cli import output, table
from exporter.cli.listener_flags import Patterns
from exporter.cli.show.listing import listing
from exporter.cli.terminal import Terminal
from exporter.cli.top.feed import Feed
from exporter.cli.top.rates import Rates
from exporter.cli.top.view import Reading, chosen_namespaces
from exporter.errors import RunError

_SECONDS: Final = 1.0
_ROWS: Final = 24
# ECMA-48: the cursor to the first cell, and all from there on erased.
_CLEAR: Final = "\x1b[H\x1b[J"


def run(feed: Feed, patterns: Patterns, hint: str = "") -> NoReturn:
    """Print until a signal ends the program, `hint` below the first line.

    Raises RunError where the first reading fails.
    """
    rates = Rates()
    text = _text(feed, patterns, rates, hint)
    while True:
        output.write(_CLEAR + text)
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
        *(f"not seen: {table.printable(each)}" for each in reading.not_seen),
        *listing(reading.listeners, terminal, peaks=True).splitlines(),
    ]
    return "\n".join(fitting(lines, os.get_terminal_size(sys.stdout.fileno()).lines)) + "\n"


def fitting(lines: Sequence[str], rows: int) -> Sequence[str]:
    """Return as many lines as a terminal has rows for, and how many more there are.

    Terminals that do not tell their size, as serial consoles, have 0 rows.
    """
    shown = (rows or _ROWS) - 2
    return lines if len(lines) < shown + 2 else [*lines[:shown], f"{len(lines) - shown} more"]

"""What a command does that takes long, in a line of the terminal that is erased at its end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from exporter.cli import output, table
from exporter.cli.terminal import Terminal

# What ends sooner needs no line.
_DELAY_SECONDS: Final = 0.4
_SECONDS: Final = 0.2
_END_SECONDS: Final = 2.0
# ECMA-48: all from the cursor to the end of the line erased.
_ERASE: Final = "\r\x1b[K"


@contextmanager
def watching(seconds: float, delay_seconds: float = _DELAY_SECONDS) -> Iterator[None]:
    """Show how many seconds of a watch are left, as long as a `with` block runs."""
    with _shown(
        lambda passed: f"watching the queues, {max(0.0, seconds - passed):.0f} s left", delay_seconds
    ):
        yield


@contextmanager
def doing(what: str, delay_seconds: float = _DELAY_SECONDS) -> Iterator[None]:
    """Show what is done, and since when, as long as a `with` block runs."""
    with _shown(lambda passed: f"{what}, for {passed:.0f} s", delay_seconds):
        yield


@contextmanager
def _shown(text: Callable[[float], str], delay_seconds: float) -> Iterator[None]:
    """Show a text on the standard error, where that is a terminal; it is made from the seconds that passed.

    A thread writes it, since what takes long may be a single call.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    ended = threading.Event()
    began = time.monotonic()
    width = (Terminal.of(sys.stderr, os.environ).width or 1) - 1

    def write() -> None:
        wait = delay_seconds
        while not ended.wait(wait):
            wait = _SECONDS
            line = table.printable(text(time.monotonic() - began))
            output.write_progress(_ERASE + table.cut(line, width))
        if wait == _SECONDS:
            output.write_progress(_ERASE)

    thread = threading.Thread(target=write, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_END_SECONDS)

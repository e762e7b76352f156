"""The command: shows listeners until it is ended."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import closing

from exporter.cli.terminal import Terminal
from exporter.cli.top import plain
from exporter.cli.top.feed import Feed, open_feed
from exporter.cli.top_flags import TopFlags
from exporter.errors import UsageError
from exporter.sampling.clock import SYSTEM_CLOCK, Clock

_MISSING = "for keys and details: pip install 'listen-queue-exporter[top]'"


def top(flags: TopFlags, clock: Clock = SYSTEM_CLOCK) -> int:
    """Show the listeners until the user ends it. Raises RunError and UsageError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; show prints the same once")
    with closing(open_feed(flags, clock)) as feed:
        is_simple = os.environ.get("TERM", "dumb") == "dumb" or not Terminal.of(sys.stdout, os.environ).blocks
        if flags.plain or is_simple:
            plain.run(feed, flags.patterns)
        if importlib.util.find_spec("textual") is None:
            plain.run(feed, flags.patterns, _MISSING)
        return _run_app(feed, flags)


def _run_app(feed: Feed, flags: TopFlags) -> int:
    from exporter.cli.top.app import TopApp  # noqa: PLC0415 (an optional package)

    app = TopApp(feed, flags.patterns)
    app.run()
    return app.return_code or 0

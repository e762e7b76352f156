"""The flags of `history`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.cli.parser import COMMANDS, Parser
from exporter.cli.values import look_back, text

DEFAULT_URL: Final = "http://localhost:10511"


@dataclass(frozen=True, slots=True)
class HistoryFlags:
    """Flags of `history`; `port` and `since` are None where all is asked for."""

    url: str
    port: str | None
    since: str | None
    json: bool


def parse_history(argv: Sequence[str]) -> HistoryFlags:
    """Parse what follows `history`. Raises UsageError, and for `--help` SystemExit(0)."""
    return HistoryFlags(**history_parser().read(argv))


def history_parser() -> Parser:
    """Return the parser of what follows `history`."""
    parser = Parser("history", "history [flags]", f"{COMMANDS['history'].capitalize()}.")
    add = parser.flags.add_argument
    about = "only listeners of this port"
    add("--port", dest="port", metavar="PORT", type=text, help=about)
    about = "how far back, as in 30s or 10m (default: as far as there is)"
    add("--since", dest="since", metavar="DURATION", type=look_back, help=about)
    about = f"the exporter that is asked (default: {DEFAULT_URL})"
    add("--url", dest="url", metavar="URL", type=text, default=DEFAULT_URL, help=about)
    add("--json", dest="json", action="store_true", help="print the answer as it is, in JSON")
    return parser

"""The flags of `top`. As exporter.cli.flags, it imports nothing that loads slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.cli.listener_flags import Patterns, add_labels, take_patterns
from exporter.cli.parser import COMMANDS, Parser
from exporter.cli.values import text
from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class TopFlags:
    """Flags of `top`.

    Without `url` it is about this host. `patterns` are those of labels, by which listeners are chosen.
    `plain` is for a terminal that can do little.
    """

    url: str | None
    config_file: str | None
    plain: bool
    patterns: Patterns = ()


def top_parser() -> Parser:
    """Return the parser of what follows `top`."""
    parser = Parser("top", "top [flags]", f"{COMMANDS['top'].capitalize()}.")
    add_labels(parser)
    about = "the listeners of the exporter there, as in http://localhost:10511"
    parser.flags.add_argument("--url", metavar="URL", type=text, help=about)
    about = "print the table anew each second, without keys"
    parser.flags.add_argument("--plain", action="store_true", help=about)
    parser.add_config_file()
    return parser


def parse_top(argv: Sequence[str]) -> TopFlags:
    """Parse what follows `top`. Raises UsageError, and for `--help` SystemExit(0)."""
    values = top_parser().read(argv)
    patterns = take_patterns(values)
    flags = TopFlags(**values, patterns=patterns)
    if flags.url is not None and flags.config_file is not None:
        raise UsageError("--config.file is for this host; the exporter at --url has its own")
    return flags

"""The flags by which listeners are chosen, the same for every command."""

from __future__ import annotations

from typing import Any, Final

from exporter.cli.parser import Parser
from exporter.cli.values import text

LABELS: Final = ("port", "process", "netns", "protocol", "address")

Patterns = tuple[tuple[str, str], ...]


def add_labels(parser: Parser) -> None:
    """Add a flag for each label."""
    for name in LABELS:
        about = f"only listeners of this {name}; a pattern with * and ?"
        parser.flags.add_argument(f"--{name}", metavar=name.upper(), type=text, help=about)


def take_patterns(values: dict[str, Any]) -> Patterns:
    """Take these flags out of what the parser has read, and return the patterns that were given."""
    given = {name: values.pop(name) for name in LABELS}
    return tuple((name, pattern) for name, pattern in given.items() if pattern is not None)

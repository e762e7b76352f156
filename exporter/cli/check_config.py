"""`check-config FILE`: validates a configuration file."""

from __future__ import annotations

from exporter.cli import output
from exporter.cli.flags import CheckConfigFlags
from exporter.config import load


def check(flags: CheckConfigFlags) -> int:
    """Print that the file is valid, and return 0. Raises ConfigError, whose text has every error in it."""
    config = load(flags.file)
    rules = "1 rule" if len(config.rules) == 1 else f"{len(config.rules)} rules"
    output.write(f"{flags.file}: valid, {rules}\n")
    return 0

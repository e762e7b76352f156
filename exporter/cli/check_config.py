"""`check-config FILE`: every error of a configuration file at once, or one line that it is fine."""

from __future__ import annotations

from exporter.cli.flags import CheckConfigFlags
from exporter.config import load


def check(flags: CheckConfigFlags) -> int:
    """Read the file and say what it holds. Raises ConfigError, whose text holds every error."""
    config = load(flags.file)
    rules = "1 rule" if len(config.rules) == 1 else f"{len(config.rules)} rules"
    print(f"{flags.file}: valid, {rules}")
    return 0

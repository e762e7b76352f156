"""The flags of `check-config`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.cli.parser import COMMANDS, Parser
from exporter.cli.values import text
from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class CheckConfigFlags:
    """Arguments of `check-config`: a configuration, a web configuration or both."""

    file: str | None
    web_file: str | None = None


def parse_check_config(argv: Sequence[str]) -> CheckConfigFlags:
    """Parse what follows `check-config`. Raises UsageError, and for `--help` SystemExit(0)."""
    flags = CheckConfigFlags(**check_config_parser().read(argv))
    if flags.file is None and flags.web_file is None:
        raise UsageError("FILE is missing")
    return flags


def check_config_parser() -> Parser:
    """Return the parser of what follows `check-config`."""
    parser = Parser("check-config", "check-config FILE [flags]", f"{COMMANDS['check-config'].capitalize()}.")
    arguments = parser.add_argument_group("arguments")
    about = "the configuration file; may be left out with --web"
    arguments.add_argument("file", metavar="FILE", type=text, nargs="?", help=about)
    about = "the file of --web.config.file, and the certificates that it names"
    parser.flags.add_argument("--web", dest="web_file", metavar="FILE", type=text, help=about)
    return parser

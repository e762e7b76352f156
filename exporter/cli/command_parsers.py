"""The parsers of all commands, from which completions and the manual page are made."""

from __future__ import annotations

from exporter.cli.check_config_flags import check_config_parser
from exporter.cli.doctor_flags import doctor_parser
from exporter.cli.flags import run_parser
from exporter.cli.history_flags import history_parser
from exporter.cli.parser import Parser
from exporter.cli.show_flags import show_parser
from exporter.cli.top_flags import top_parser


def command_parsers() -> dict[str, Parser]:
    """Return the parser of each command by its name; that of the daemon has an empty name."""
    return {
        "": run_parser(),
        "check-config": check_config_parser(),
        "show": show_parser(),
        "top": top_parser(),
        "history": history_parser(),
        "doctor": doctor_parser(),
    }

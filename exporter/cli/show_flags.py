"""The flags of `show`. As exporter.cli.flags, it imports nothing that loads slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from exporter.api.queue_state import QueueState
from exporter.cli.listener_flags import Patterns, add_labels, take_patterns
from exporter.cli.parser import COMMANDS, Parser
from exporter.cli.values import SomeOf, duration, listed, text
from exporter.errors import UsageError

_CHECK: Final = "--check"
DEFAULT_CLIENTS: Final = 10


class OutputFormat(StrEnum):
    """What `show` prints.

    CHECK is for monitoring systems, PROMETHEUS for the textfile collector of node_exporter.
    """

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    CHECK = "check"
    PROMETHEUS = "prometheus"


_FORMATS: Final = (
    (OutputFormat.JSON, "print JSON instead of a table"),
    (OutputFormat.CSV, "print the same as CSV"),
    (OutputFormat.CHECK, "print one line, and exit with 0 to 3, as monitoring plugins do"),
    (OutputFormat.PROMETHEUS, "print metrics, as for the textfile collector of node_exporter"),
)


@dataclass(frozen=True, slots=True)
class ShowFlags:
    """Flags of `show`.

    Without `url` it is about this host. `patterns` are those of labels, by which listeners are chosen, and
    `states` those that they may have, empty for all. `seconds` is how long to watch for peaks, None for one
    sample. `members` asks for each socket of a listener, `clients` for so many of its clients, None for no
    list.
    """

    output_format: OutputFormat
    config_file: str | None
    url: str | None = None
    patterns: Patterns = ()
    states: tuple[str, ...] = ()
    seconds: float | None = None
    members: bool = False
    clients: int | None = None


def show_parser() -> Parser:
    """Return the parser of what follows `show`."""
    parser = Parser("show", "show [flags]", f"{COMMANDS['show'].capitalize()}.")
    add = parser.flags.add_argument
    add_labels(parser)
    about = f"only those in one of these states: {', '.join(QueueState)}"
    add("--state", dest="states", metavar="STATE,...", type=SomeOf(tuple(QueueState)), help=about)
    about = "how long to watch for the peaks of queues, as in 2s"
    add("--for", dest="seconds", metavar="DURATION", type=duration, help=about)
    about = "each socket of a listener that has several (SO_REUSEPORT)"
    add("--members", action="store_true", help=about)
    about = f"who waits, by address and network, most first (default: {DEFAULT_CLIENTS})"
    add("--clients", metavar="NUMBER", type=listed, nargs="?", const=DEFAULT_CLIENTS, help=about)
    formats = parser.flags.add_mutually_exclusive_group()
    for value, about in _FORMATS:
        formats.add_argument(
            f"--{value}", dest="output_format", action="store_const", const=value, help=about
        )
    about = "the listeners of the exporter there, as in http://localhost:10511"
    add("--url", metavar="URL", type=text, help=about)
    parser.add_config_file()
    parser.set_defaults(output_format=OutputFormat.TABLE, states=())
    return parser


def parse_show(argv: Sequence[str]) -> ShowFlags:
    """Parse what follows `show`. Raises UsageError, and for `--help` SystemExit(0)."""
    values = show_parser().read(argv)
    patterns = take_patterns(values)
    flags = ShowFlags(**values, patterns=patterns)
    _refuse_contradictions(flags)
    return flags


def is_check(argv: Sequence[str]) -> bool:
    """Tell whether the arguments of the program ask for the status of a monitoring plugin, right or wrong."""
    return list(argv[:1]) == ["show"] and any(each.partition("=")[0] == _CHECK for each in argv)


def _refuse_contradictions(flags: ShowFlags) -> None:
    chosen = flags.patterns or flags.states
    kind = flags.output_format
    listed = flags.members or flags.clients is not None
    if kind is OutputFormat.PROMETHEUS and (flags.url or chosen or flags.seconds or listed):
        raise UsageError(
            "--prometheus prints all metrics of this host; leave the other flags but --config.file out"
        )
    if kind is OutputFormat.CHECK and flags.states:
        raise UsageError("--state would leave out what --check looks for; leave it out")
    if listed and kind not in (OutputFormat.TABLE, OutputFormat.JSON):
        name = "members" if flags.members else "clients"
        raise UsageError(f"--{name} is for the table and --json; --{kind} has one row for each listener")
    if flags.url is not None and flags.config_file is not None:
        raise UsageError("--config.file is for this host; the exporter at --url has its own")
    if flags.url is not None and flags.seconds is not None:
        raise UsageError(
            "--for is for this host; the exporter at --url has the peaks of its own peak_window already"
        )

"""The command line: arguments in, frozen values out.

Only modules of the standard library that load fast are imported, so that `--help` and the message about a
wrong flag take no time. Addresses and paths stay text: the package that uses them validates them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter import __version__
from exporter.cli.parser import COMMANDS, PROGRAM, Parser, advice, count, one_of, text
from exporter.errors import UsageError

DEFAULT_LISTEN_ADDRESS = ":10511"
DEFAULT_TELEMETRY_PATH = "/metrics"
DEFAULT_MAX_REQUESTS = 40
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Flags of the daemon.

    Without a file `config_file` is None, without an address `listen_addresses` is empty. With 0 for
    `max_requests` there is no limit.
    """

    config_file: str | None
    listen_addresses: tuple[str, ...]
    telemetry_path: str
    lifecycle: bool
    max_requests: int
    log_level: str
    log_format: str


@dataclass(frozen=True, slots=True)
class CheckConfigFlags:
    """Arguments of `check-config`."""

    file: str


class OutputFormat(StrEnum):
    """What `show` prints; PROMETHEUS is for the textfile collector of node_exporter."""

    TABLE = "table"
    JSON = "json"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class ShowFlags:
    """Flags of `show`."""

    output_format: OutputFormat
    config_file: str | None


Flags = RunFlags | CheckConfigFlags | ShowFlags


def parse(argv: Sequence[str]) -> Flags:
    """Parse the arguments after the program's name.

    Raises UsageError, with a text of one line, and for `--help` and `--version`, which print to stdout,
    SystemExit(0).
    """
    command = argv[0] if argv and not argv[0].startswith("-") else ""
    match command:
        case "":
            return _parse_run(argv)
        case "check-config":
            return _parse_check_config(argv[1:])
        case "show":
            return _parse_show(argv[1:])
        case _:
            message = f"unknown command {command!r}; {advice(PROGRAM, command, list(COMMANDS))}"
            raise UsageError(message)


def _parse_run(argv: Sequence[str]) -> RunFlags:
    values = _run_parser().read(argv)
    values["listen_addresses"] = tuple(values["listen_addresses"] or ())
    return RunFlags(**values)


def _parse_check_config(argv: Sequence[str]) -> CheckConfigFlags:
    parser = Parser("check-config", "check-config FILE", f"{COMMANDS['check-config'].capitalize()}.")
    arguments = parser.add_argument_group("arguments")
    arguments.add_argument("file", metavar="FILE", type=text, help="the configuration file")
    return CheckConfigFlags(**parser.read(argv))


def _parse_show(argv: Sequence[str]) -> ShowFlags:
    parser = Parser("show", "show [flags]", f"{COMMANDS['show'].capitalize()}.")
    formats = parser.flags.add_mutually_exclusive_group()
    about = "print JSON instead of a table"
    name = "output_format"
    formats.add_argument("--json", dest=name, action="store_const", const=OutputFormat.JSON, help=about)
    about = "print metrics, as for the textfile collector of node_exporter"
    formats.add_argument(
        "--prometheus", dest=name, action="store_const", const=OutputFormat.PROMETHEUS, help=about
    )
    parser.set_defaults(output_format=OutputFormat.TABLE)
    _add_config_file(parser)
    return ShowFlags(**parser.read(argv))


def _run_parser() -> Parser:
    commands = "\n".join(f"  {name:<14}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        "",
        f"[flags]\n       {PROGRAM} check-config FILE\n       {PROGRAM} show [flags]",
        "Measures how full every listen queue of this host is, for Prometheus.\n"
        "Needs neither flags nor a configuration file.\n\n"
        f"commands (each has --help):\n{commands}",
    )
    _add_config_file(parser)
    _add_web(parser)
    _add_log(parser)
    version = "{} {} (python {}.{}.{})".format(PROGRAM, __version__, *sys.version_info[:3])
    about = "show the version and exit"
    parser.flags.add_argument("--version", action="version", version=version, help=about)
    return parser


def _add_config_file(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = "configuration (YAML); without it, the defaults"
    add("--config.file", dest="config_file", metavar="FILE", type=text, help=about)


def _add_web(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = f"as in 127.0.0.1:10511, [::1]:10511; may be repeated (default: {DEFAULT_LISTEN_ADDRESS})"
    name = "--web.listen-address"
    add(name, dest="listen_addresses", metavar="ADDRESS", action="append", type=text, help=about)
    about = f"path of the metrics page (default: {DEFAULT_TELEMETRY_PATH})"
    add("--web.telemetry-path", dest="telemetry_path", metavar="PATH", type=text, help=about)
    about = "let POST /-/reload read the configuration again, as SIGHUP does"
    add("--web.enable-lifecycle", dest="lifecycle", action="store_true", help=about)
    about = f"scrapes at once; 0: no limit (default: {DEFAULT_MAX_REQUESTS})"
    add("--web.max-requests", dest="max_requests", metavar="NUMBER", type=count, help=about)
    parser.set_defaults(telemetry_path=DEFAULT_TELEMETRY_PATH, max_requests=DEFAULT_MAX_REQUESTS)


def _add_log(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = f"{', '.join(LOG_LEVELS)} (default: info)"
    add("--log.level", dest="log_level", metavar="LEVEL", type=one_of(LOG_LEVELS), help=about)
    about = f"{', '.join(LOG_FORMATS)} (default: logfmt)"
    add("--log.format", dest="log_format", metavar="FORMAT", type=one_of(LOG_FORMATS), help=about)
    parser.set_defaults(log_level="info", log_format="logfmt")

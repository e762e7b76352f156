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
from exporter.cli.doctor_flags import DoctorFlags, parse_doctor
from exporter.cli.history_flags import HistoryFlags, parse_history
from exporter.cli.parser import COMMANDS, PROGRAM, Parser, advice
from exporter.cli.values import count, duration, header_bytes, listed, mode, one_of, positive_count, text
from exporter.errors import UsageError

DEFAULT_LISTEN_ADDRESS = ":10511"
DEFAULT_TELEMETRY_PATH = "/metrics"
DEFAULT_MAX_CONNECTIONS = 512
DEFAULT_MAX_REQUESTS = 40
DEFAULT_MAX_HEADER_BYTES = 16 * 1024
DEFAULT_SOCKET_MODE = 0o660
# Flag, field of RunFlags, seconds where it is not given, and what has so much time.
_TIMEOUTS = (
    ("header", "header_seconds", 5.0, "time to send a request without its body"),
    ("body", "body_seconds", 5.0, "time to send a body"),
    ("page", "page_seconds", 10.0, "time to make and to send a response"),
    ("idle", "idle_seconds", 75.0, "time between two requests of a connection"),
)
DEFAULT_CLIENTS = 10
# The labels by which `show` chooses listeners.
_SHOWN_LABELS = ("port", "process", "netns", "protocol", "address")
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Flags of the daemon.

    Without a file `config_file` and `web_config_file` are None, without an address `listen_addresses` is
    empty, without an owner `socket_owner` is None, and without a user `user`. With 0 for `max_requests` there
    is no limit.
    """

    config_file: str | None
    web_config_file: str | None
    listen_addresses: tuple[str, ...]
    telemetry_path: str
    lifecycle: bool
    max_connections: int
    max_requests: int
    max_header_bytes: int
    header_seconds: float
    body_seconds: float
    page_seconds: float
    idle_seconds: float
    socket_mode: int
    socket_owner: str | None
    log_level: str
    log_format: str
    user: str | None = None
    sandbox: bool = True


@dataclass(frozen=True, slots=True)
class CheckConfigFlags:
    """Arguments of `check-config`: a configuration, a web configuration or both."""

    file: str | None
    web_file: str | None = None


class OutputFormat(StrEnum):
    """What `show` prints; PROMETHEUS is for the textfile collector of node_exporter."""

    TABLE = "table"
    JSON = "json"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class ShowFlags:
    """Flags of `show`.

    Without `url` it is about this host. `patterns` are those of labels, by which listeners are chosen.
    `clients` is how many clients of each are listed, None for no list.
    """

    output_format: OutputFormat
    config_file: str | None
    url: str | None = None
    patterns: tuple[tuple[str, str], ...] = ()
    clients: int | None = None


Flags = RunFlags | CheckConfigFlags | ShowFlags | HistoryFlags | DoctorFlags


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
        case "history":
            return parse_history(argv[1:])
        case "doctor":
            return parse_doctor(argv[1:])
        case _:
            message = f"unknown command {command!r}; {advice(PROGRAM, command, list(COMMANDS))}"
            raise UsageError(message)


def _parse_run(argv: Sequence[str]) -> RunFlags:
    values = _run_parser().read(argv)
    values["listen_addresses"] = tuple(values["listen_addresses"] or ())
    return RunFlags(**values)


def _parse_check_config(argv: Sequence[str]) -> CheckConfigFlags:
    parser = Parser("check-config", "check-config FILE [flags]", f"{COMMANDS['check-config'].capitalize()}.")
    arguments = parser.add_argument_group("arguments")
    about = "the configuration file; may be left out with --web"
    arguments.add_argument("file", metavar="FILE", type=text, nargs="?", help=about)
    about = "the file of --web.config.file, and the certificates that it names"
    parser.flags.add_argument("--web", dest="web_file", metavar="FILE", type=text, help=about)
    flags = CheckConfigFlags(**parser.read(argv))
    if flags.file is None and flags.web_file is None:
        raise UsageError("FILE is missing")
    return flags


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
    for name in _SHOWN_LABELS:
        about = f"only listeners of this {name}; a pattern with * and ?"
        parser.flags.add_argument(f"--{name}", metavar=name.upper(), type=text, help=about)
    about = f"who waits, by address and network, most first (default: {DEFAULT_CLIENTS})"
    add = parser.flags.add_argument
    add("--clients", metavar="NUMBER", type=listed, nargs="?", const=DEFAULT_CLIENTS, help=about)
    about = "the listeners of the exporter there, as in http://localhost:10511"
    parser.flags.add_argument("--url", metavar="URL", type=text, help=about)
    parser.add_config_file()
    values = parser.read(argv)
    given = {name: values.pop(name) for name in _SHOWN_LABELS}
    patterns = tuple((name, pattern) for name, pattern in given.items() if pattern is not None)
    return ShowFlags(**values, patterns=patterns)


def _run_parser() -> Parser:
    commands = "\n".join(f"  {name:<14}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        "",
        f"[flags]\n       {PROGRAM} COMMAND [flags]",
        "Measures how full every listen queue of this host is, for Prometheus.\n"
        "Needs neither flags nor a configuration file.\n\n"
        f"commands (each has --help):\n{commands}",
    )
    parser.add_config_file()
    _add_web(parser)
    _add_limits(parser)
    _add_privileges(parser)
    _add_log(parser)
    version = "{} {} (python {}.{}.{})".format(PROGRAM, __version__, *sys.version_info[:3])
    about = "show the version and exit"
    parser.flags.add_argument("--version", action="version", version=version, help=about)
    return parser


def _add_web(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = (
        "as in 127.0.0.1:10511, [::1]:10511, :10511%%eth1, unix:/run/x.sock; may be repeated "
        f"(default: {DEFAULT_LISTEN_ADDRESS})"
    )
    name = "--web.listen-address"
    add(name, dest="listen_addresses", metavar="ADDRESS", action="append", type=text, help=about)
    about = "TLS, passwords and more (YAML), in the format of exporter-toolkit"
    add("--web.config.file", dest="web_config_file", metavar="FILE", type=text, help=about)
    about = f"path of the metrics page (default: {DEFAULT_TELEMETRY_PATH})"
    add("--web.telemetry-path", dest="telemetry_path", metavar="PATH", type=text, help=about)
    about = "let POST /-/reload read the configuration again, as SIGHUP does"
    add("--web.enable-lifecycle", dest="lifecycle", action="store_true", help=about)
    about = "mode of the file of unix:/PATH (default: 0660)"
    add("--web.socket-mode", dest="socket_mode", metavar="MODE", type=mode, help=about)
    about = "owner of that file, as in USER, USER:GROUP or :GROUP"
    add("--web.socket-owner", dest="socket_owner", metavar="OWNER", type=text, help=about)
    parser.set_defaults(telemetry_path=DEFAULT_TELEMETRY_PATH, socket_mode=DEFAULT_SOCKET_MODE)


def _add_limits(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = f"clients at once, within the limit of open files (default: {DEFAULT_MAX_CONNECTIONS})"
    name = "--web.max-connections"
    add(name, dest="max_connections", metavar="NUMBER", type=positive_count, help=about)
    about = f"scrapes at once; 0: no limit (default: {DEFAULT_MAX_REQUESTS})"
    add("--web.max-requests", dest="max_requests", metavar="NUMBER", type=count, help=about)
    about = f"size of a request without its body (default: {DEFAULT_MAX_HEADER_BYTES})"
    name = "--web.max-header-bytes"
    add(name, dest="max_header_bytes", metavar="BYTES", type=header_bytes, help=about)
    for name, field, default, meaning in _TIMEOUTS:
        about = f"{meaning} (default: {default:g}s)"
        add(f"--web.{name}-timeout", dest=field, metavar="DURATION", type=duration, help=about)
        parser.set_defaults(**{field: default})
    parser.set_defaults(
        max_connections=DEFAULT_MAX_CONNECTIONS,
        max_requests=DEFAULT_MAX_REQUESTS,
        max_header_bytes=DEFAULT_MAX_HEADER_BYTES,
    )


def _add_privileges(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = "whom it becomes where root starts it, as in nobody:nogroup (default: 65534:65534)"
    add("--user", metavar="USER", type=text, help=about)
    about = "use neither Landlock nor seccomp, which forbid what it does not need"
    add("--no-sandbox", dest="sandbox", action="store_false", help=about)


def _add_log(parser: Parser) -> None:
    add = parser.flags.add_argument
    about = f"{', '.join(LOG_LEVELS)} (default: info)"
    add("--log.level", dest="log_level", metavar="LEVEL", type=one_of(LOG_LEVELS), help=about)
    about = f"{', '.join(LOG_FORMATS)} (default: logfmt)"
    add("--log.format", dest="log_format", metavar="FORMAT", type=one_of(LOG_FORMATS), help=about)
    parser.set_defaults(log_level="info", log_format="logfmt")

"""The command line: arguments in, frozen values out.

Only modules of the standard library that load fast are imported, so that `--help` and the message about a
wrong flag take no time. Addresses and paths stay text: the package that uses them validates them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from exporter import __version__
from exporter.cli.check_config_flags import CheckConfigFlags, parse_check_config
from exporter.cli.doctor_flags import DoctorFlags, parse_doctor
from exporter.cli.history_flags import HistoryFlags, parse_history
from exporter.cli.parser import COMMANDS, PROGRAM, Parser, advice
from exporter.cli.show_flags import ShowFlags, parse_show
from exporter.cli.top_flags import TopFlags, parse_top
from exporter.cli.values import OneOf, count, duration, header_bytes, mode, positive_count, text
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
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Flags of the daemon.

    Without a file `config_file` and `web_config_file` are None, without an address `listen_addresses` is
    empty, without an owner `socket_owner` is None, and without a user `user`. With 0 for `max_requests` there
    is no limit. Where files are read again only when that is asked for, `auto_reload_seconds` is None.
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
    auto_reload_seconds: float | None = None

    @property
    def config_files(self) -> list[str]:
        """The paths of both configuration files, without those that are not there."""
        return [path for path in (self.config_file, self.web_config_file) if path]


Flags = RunFlags | CheckConfigFlags | ShowFlags | TopFlags | HistoryFlags | DoctorFlags


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
            return parse_check_config(argv[1:])
        case "show":
            return parse_show(argv[1:])
        case "top":
            return parse_top(argv[1:])
        case "history":
            return parse_history(argv[1:])
        case "doctor":
            return parse_doctor(argv[1:])
        case _:
            message = f"unknown command {command!r}; {advice(PROGRAM, command, list(COMMANDS))}"
            raise UsageError(message)


def _parse_run(argv: Sequence[str]) -> RunFlags:
    values = run_parser().read(argv)
    values["listen_addresses"] = tuple(values["listen_addresses"] or ())
    return RunFlags(**values)


def run_parser() -> Parser:
    """Return the parser of the daemon's flags."""
    commands = "\n".join(f"  {name:<14}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        "",
        f"[flags]\n       {PROGRAM} COMMAND [flags]",
        "Measures how full every listen queue of this host is, for Prometheus.\n"
        "Needs neither flags nor a configuration file.\n\n"
        f"commands (each has --help):\n{commands}",
    )
    parser.add_config_file()
    about = "time between looks whether that file, or that of --web.config.file, has changed (default: none)"
    name = "--config.auto-reload-interval"
    parser.flags.add_argument(name, dest="auto_reload_seconds", metavar="DURATION", type=duration, help=about)
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
    add("--log.level", dest="log_level", metavar="LEVEL", type=OneOf(LOG_LEVELS), help=about)
    about = f"{', '.join(LOG_FORMATS)} (default: logfmt)"
    add("--log.format", dest="log_format", metavar="FORMAT", type=OneOf(LOG_FORMATS), help=about)
    parser.set_defaults(log_level="info", log_format="logfmt")

"""The command line: arguments in, frozen values out.

Only light modules of the standard library are imported here, so that `--help` and a mistyped flag answer at
once. Addresses and paths are handed on as text; the room that uses them judges them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Never

from exporter import __version__
from exporter.errors import UseError

PROGRAM = "listen-queue-exporter"
DEFAULT_LISTEN_ADDRESS = ":10511"
DEFAULT_TELEMETRY_PATH = "/metrics"
DEFAULT_MAX_REQUESTS = 40
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")

_COMMANDS = {
    "check-config": "read a configuration file and report every error in it",
    "show": "print the listeners of this host and their queues once",
}

# What argparse says, and what is said instead.
_REWORDED = (
    (r"expected one argument$", "needs a value"),
    (r"^the following arguments are required: (.*)", r"\1 is missing"),
    (r"ignored explicit argument ", "takes no value, and got "),
)

# Closer than this is a typing error. `--web.config.file` and `--config.file` are not that close: they mean
# different files.
_SIMILARITY = 0.88


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Run the daemon. `config_file` None means the defaults; `max_requests` 0 means no limit."""

    config_file: str | None
    listen_addresses: tuple[str, ...]
    telemetry_path: str
    lifecycle: bool
    max_requests: int
    log_level: str
    log_format: str


@dataclass(frozen=True, slots=True)
class CheckConfigFlags:
    """Validate the configuration in `file`."""

    file: str


@dataclass(frozen=True, slots=True)
class ShowFlags:
    """Print the listeners once, as a table or as JSON."""

    json: bool
    config_file: str | None


Flags = RunFlags | CheckConfigFlags | ShowFlags


class _Parser(argparse.ArgumentParser):
    """Argparse that raises UseError instead of printing its usage and leaving."""

    def __init__(self, command: str, usage: str, description: str) -> None:
        super().__init__(
            prog=f"{PROGRAM} {command}".strip(),
            usage=f"{PROGRAM} {usage}",
            description=description,
            add_help=False,
            allow_abbrev=False,
            # Indentation, room for the longest flag, and 80 columns (argparse keeps two free).
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 32, 82),
        )
        self.flags = self.add_argument_group("flags")

    def error(self, message: str) -> Never:
        """Raise UseError."""
        text = message.removeprefix("argument ")
        for pattern, replacement in _REWORDED:
            text = re.sub(pattern, replacement, text, count=1)
        raise UseError(text)

    def known_flags(self) -> list[str]:
        """List every flag in its long form."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]


def parse(argv: Sequence[str]) -> Flags:
    """Read the arguments after the program's name.

    `--help` and `--version` print to stdout and raise SystemExit(0). Raises UseError, with one line, for
    anything that cannot be run.
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
            message = f"unknown command {command!r}; {_advice(PROGRAM, command, list(_COMMANDS))}"
            raise UseError(message)


def _parse_run(argv: Sequence[str]) -> RunFlags:
    values = vars(_read(_run_parser(), argv))
    values["listen_addresses"] = tuple(values["listen_addresses"] or (DEFAULT_LISTEN_ADDRESS,))
    return RunFlags(**values)


def _parse_check_config(argv: Sequence[str]) -> CheckConfigFlags:
    parser = _Parser("check-config", "check-config FILE", f"{_COMMANDS['check-config'].capitalize()}.")
    arguments = parser.add_argument_group("arguments")
    arguments.add_argument("file", metavar="FILE", type=_text, help="the configuration file")
    return CheckConfigFlags(**vars(_read(parser, argv)))


def _parse_show(argv: Sequence[str]) -> ShowFlags:
    parser = _Parser("show", "show [flags]", f"{_COMMANDS['show'].capitalize()}.")
    parser.flags.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _add_config_file(parser)
    return ShowFlags(**vars(_read(parser, argv)))


def _run_parser() -> _Parser:
    commands = "\n".join(f"  {name:<14}{text}" for name, text in _COMMANDS.items())
    parser = _Parser(
        "",
        f"[flags]\n       {PROGRAM} check-config FILE\n       {PROGRAM} show [flags]",
        "Measures how full every listen queue of this host is and serves it to Prometheus.\n"
        "Needs neither flags nor a configuration file.\n\n"
        f"commands (each has --help):\n{commands}",
    )
    _add_config_file(parser)
    _add_web(parser)
    _add_log(parser)
    version = "{} {} (python {}.{}.{})".format(PROGRAM, __version__, *sys.version_info[:3])
    text = "show the version and exit"
    parser.flags.add_argument("--version", action="version", version=version, help=text)
    return parser


def _add_config_file(parser: _Parser) -> None:
    add = parser.flags.add_argument
    text = "configuration (YAML); without it, the defaults"
    add("--config.file", dest="config_file", metavar="FILE", type=_text, help=text)


def _add_web(parser: _Parser) -> None:
    add = parser.flags.add_argument
    text = f"as in 127.0.0.1:10511, [::1]:10511; may be repeated (default: {DEFAULT_LISTEN_ADDRESS})"
    name = "--web.listen-address"
    add(name, dest="listen_addresses", metavar="ADDRESS", action="append", type=_text, help=text)
    text = f"path of the metrics page (default: {DEFAULT_TELEMETRY_PATH})"
    add("--web.telemetry-path", dest="telemetry_path", metavar="PATH", type=_text, help=text)
    text = "let POST /-/reload read the configuration again, as SIGHUP does"
    add("--web.enable-lifecycle", dest="lifecycle", action="store_true", help=text)
    text = f"scrapes served at once; 0: no limit (default: {DEFAULT_MAX_REQUESTS})"
    add("--web.max-requests", dest="max_requests", metavar="NUMBER", type=_count, help=text)
    parser.set_defaults(telemetry_path=DEFAULT_TELEMETRY_PATH, max_requests=DEFAULT_MAX_REQUESTS)


def _add_log(parser: _Parser) -> None:
    add = parser.flags.add_argument
    text = f"{', '.join(LOG_LEVELS)} (default: info)"
    add("--log.level", dest="log_level", metavar="LEVEL", type=_one_of(LOG_LEVELS), help=text)
    text = f"{', '.join(LOG_FORMATS)} (default: logfmt)"
    add("--log.format", dest="log_format", metavar="FORMAT", type=_one_of(LOG_FORMATS), help=text)
    parser.set_defaults(log_level="info", log_format="logfmt")


def _text(text: str) -> str:
    if not text:
        message = "needs a value, and got an empty one"
        raise argparse.ArgumentTypeError(message)
    return text


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in allowed:
            message = f"{text!r} is none of {', '.join(allowed)}"
            raise argparse.ArgumentTypeError(message)
        return text

    return convert


def _count(text: str) -> int:
    # int() would take "1_0", " 1" and the digits of every script.
    if not (text.isascii() and text.isdigit() and len(text) <= len("999999999")):
        message = f"{text!r} is no whole number from 0 up"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _read(parser: _Parser, argv: Sequence[str]) -> argparse.Namespace:
    parser.flags.add_argument("-h", "--help", action="help", help="show this text and exit")
    for argument in argv:
        if argument == "--":
            break
        if re.match(r"-[^-].", argument):
            # Argparse would take it for `-h` run together with something.
            parser.error(_unknown_flag(parser, argument))
    values, unknown = parser.parse_known_args(list(argv))
    if unknown:
        parser.error(_unexpected(parser, unknown[0]))
    return values


def _unexpected(parser: _Parser, argument: str) -> str:
    if argument in _COMMANDS:
        return f"unexpected {argument!r}; a command comes first, before any flag"
    if argument.startswith("--") and argument != "--":
        return _unknown_flag(parser, argument)
    return f"unexpected argument {argument!r}; see {parser.prog} --help"


def _unknown_flag(parser: _Parser, argument: str) -> str:
    flag = argument.partition("=")[0]
    return f"unknown flag {flag!r}; {_advice(parser.prog, flag, parser.known_flags())}"


def _advice(prog: str, given: str, known: Sequence[str]) -> str:
    """Suggest what begins or ends like the mistaken word, or is spelled nearly so."""
    import difflib  # noqa: PLC0415  (only a mistake needs it)

    word = given.lstrip("-")
    spelling = f"--{word}" if given.startswith("-") else word
    guesses = [name for name in known if word and name.lstrip("-").startswith(word)]
    guesses += [name for name in known if word and name.endswith(f".{word}")]
    guesses += difflib.get_close_matches(spelling, known, 1, _SIMILARITY)
    return f"did you mean {guesses[0]}?" if guesses else f"see {prog} --help"

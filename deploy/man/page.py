"""The manual page in the macros of man(7): flags from the parser, and the rest from the texts below."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exporter import __version__
from exporter.cli.command_parsers import command_parsers
from exporter.cli.parser import COMMANDS, PROGRAM, Parser

FILE: Final = Path(__file__).parent / f"{PROGRAM}.1"
# mandoc warns of longer lines.
_COLUMNS: Final = 80
_CHANGELOG: Final = Path(__file__).resolve().parents[2] / "CHANGELOG.md"

_SUMMARY: Final = "how full the listen queues of a host are"
_DESCRIPTION: Final = (
    (
        "Without a command it samples the accept queue and the SYN queue of every listening socket, TCP and"
        " unix, and serves what it measured as metrics at http://localhost:10511/metrics. It needs neither"
        " flags nor a configuration file, and no privilege for the network namespace it runs in."
    ),
    (
        "Started as root, or with CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, it sees the"
        " listeners of all network namespaces, and so those of containers. The process that serves has none"
        " of these."
    ),
)
# Tag and meaning.
_EXIT_STATUS: Final = (
    ("0", "Success. Of the daemon: it was ended by SIGTERM or SIGINT."),
    ("1", "It failed at run time, as where the port is taken or nothing can be read."),
    ("2", "Wrong use, or an error in a configuration file."),
    (
        "0, 1, 2, 3",
        "Of show --check, as of any monitoring plugin: OK, WARNING, CRITICAL, UNKNOWN (also for wrong use).",
    ),
)
_ENVIRONMENT: Final = (
    ("NO_COLOR", "Unless it is empty, show prints no colours (https://no-color.org)."),
    ("COLUMNS", "The width of a line of show, in place of that of the terminal."),
)
_SIGNALS: Final = (
    ("SIGHUP", "The daemon reads its configuration again. Where that is wrong, the old one stays in force."),
    ("SIGTERM, SIGINT", "The daemon ends."),
)
_EXAMPLES: Final = (
    ("listen-queue-exporter show", "Print each listener of this host and its queues, the worst first."),
    (
        "listen-queue-exporter doctor --for=30s",
        "Watch all queues for 30 seconds, and say what is wrong and what to change.",
    ),
    (
        "listen-queue-exporter --web.listen-address=127.0.0.1:10511",
        "Serve metrics on loopback alone.",
    ),
)


def page() -> str:
    """Return the manual page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    parsers = command_parsers()
    daemon = parsers.pop("")
    yield '.\\" Written by `make reference` from the parser in exporter/cli.'
    yield f'.TH {_text(PROGRAM.upper())} 1 {_date()} "{PROGRAM} {__version__}" "User Commands"'
    # Left-aligned, and words stay whole: they are names.
    yield ".ad l"
    yield ".nh"
    yield ".SH NAME"
    yield f"{_text(PROGRAM)} \\- {_text(_SUMMARY)}"
    yield ".SH SYNOPSIS"
    yield from _synopsis("[flags]")
    for parser in parsers.values():
        yield ".br"
        yield from _synopsis(_usage(parser))
    yield ".SH DESCRIPTION"
    first, *others = _DESCRIPTION
    yield _text(first)
    for paragraph in others:
        yield ".PP"
        yield _text(paragraph)
    yield ".SH OPTIONS"
    yield from _actions(daemon)
    yield ".SH COMMANDS"
    for name, parser in parsers.items():
        yield f".SS {_text(_usage(parser))}"
        yield _text(f"{COMMANDS[name].capitalize()}.")
        yield from _actions(parser)
    for heading, entries in (
        ("EXIT STATUS", _EXIT_STATUS),
        ("ENVIRONMENT", _ENVIRONMENT),
        ("SIGNALS", _SIGNALS),
        ("EXAMPLES", _EXAMPLES),
    ):
        yield f".SH {_text(heading)}"
        for tag, meaning in entries:
            yield from _entry(f"\\fB{_text(tag)}\\fR", meaning)
    yield '.SH "SEE ALSO"'
    yield ".BR ss (8),\n.BR listen (2),\n.BR sock_diag (7),\n.BR tcp (7),\n.BR unix (7)"


def _date() -> str:
    """The day of the last release."""
    found = re.search(rf"^## \[{re.escape(__version__)}\] - (\S+)$", _CHANGELOG.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"CHANGELOG.md has no release {__version__}")
    return found[1]


def _usage(parser: Parser) -> str:
    return str(parser.usage).removeprefix(f"{PROGRAM} ")


def _synopsis(arguments: str) -> Iterator[str]:
    yield f".B {_text(PROGRAM)}"
    yield _text(arguments)


def _actions(parser: Parser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001  (argparse has no other list of them)
        yield from _entry(_tag(action), str(action.help).replace("%%", "%"))


def _tag(action: argparse.Action) -> str:
    value = f"\\fI{_text(str(action.metavar))}\\fR" if action.metavar else ""
    value = f"[{value}]" if action.nargs == argparse.OPTIONAL else value
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in action.option_strings)
    return f"{names} {value}".strip()


def _entry(tag: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield tag
    yield _text(meaning)


def _text(words: str) -> str:
    """Escape what roff reads as a command, a hyphen of prose or a quotation mark."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    lines = textwrap.wrap(escaped, _COLUMNS, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in lines)

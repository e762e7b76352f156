"""An argparse parser that reports an error in one line, and suggests a flag for a mistyped one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, Never

from exporter.cli import output
from exporter.cli.values import text
from exporter.errors import UsageError

PROGRAM = "listen-queue-exporter"
COMMANDS = {
    "check-config": "read a configuration file and report every error in it",
    "show": "print the listeners of this host and their queues once",
    "top": "show the listeners of this host as their queues change",
    "history": "print what a running exporter has seen in the last minutes",
    "doctor": "say what is wrong with the listeners of this host",
}

# Patterns in the messages of argparse, and their replacements.
_MESSAGES = (
    (r"expected one argument$", "needs a value"),
    (r"^the following arguments are required: (.*)", r"\1 is missing"),
    (r"ignored explicit argument ", "takes no value, and got "),
)

# From this ratio of difflib up a word counts as mistyped. `--web.config.file` and `--config.file` are below
# it: they mean different files.
_SIMILARITY = 0.88


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError where argparse prints its usage and exits."""

    def __init__(self, command: str, usage: str, description: str) -> None:
        super().__init__(
            prog=f"{PROGRAM} {command}".strip(),
            usage=f"{PROGRAM} {usage}",
            description=description,
            add_help=False,
            allow_abbrev=False,
            # Indentation, columns for the longest flag, and columns of a line.
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 32, 80),
        )
        self.flags = self.add_argument_group("flags")

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002  (argparse passes it)
        # Argparse ignores what cannot be written. Only `--help` and `--version` print.
        output.write(message)

    def error(self, message: str) -> Never:
        """Raise UsageError."""
        text = message.removeprefix("argument ")
        for pattern, replacement in _MESSAGES:
            text = re.sub(pattern, replacement, text, count=1)
        raise UsageError(text)

    def read(self, argv: Sequence[str]) -> dict[str, Any]:
        """Return the value of every flag. Raises UsageError, and for `--help` SystemExit(0)."""
        self.flags.add_argument("-h", "--help", action="help", help="show this text and exit")
        for argument in argv:
            if argument == "--":
                break
            if re.match(r"-[^-].", argument):
                # Argparse would read it as `-h` with a value.
                self.error(_unknown_flag(self, argument))
        values, unknown = self.parse_known_args(list(argv))
        if unknown:
            self.error(_unexpected(self, unknown[0]))
        return vars(values)

    def add_config_file(self) -> None:
        """Add the flag of the configuration, which several commands have."""
        about = "configuration (YAML); without it, the defaults"
        self.flags.add_argument("--config.file", dest="config_file", metavar="FILE", type=text, help=about)

    def known_flags(self) -> list[str]:
        """Return every flag in its long form."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]


def _unexpected(parser: Parser, argument: str) -> str:
    if argument in COMMANDS:
        return f"unexpected {argument!r}; a command comes first, before any flag"
    if argument.startswith("--") and argument != "--":
        return _unknown_flag(parser, argument)
    return f"unexpected argument {argument!r}; see {parser.prog} --help"


def _unknown_flag(parser: Parser, argument: str) -> str:
    flag = argument.partition("=")[0]
    return f"unknown flag {flag!r}; {advice(parser.prog, flag, parser.known_flags())}"


def advice(prog: str, given: str, known: Sequence[str]) -> str:
    """Suggest the known word that begins or ends like the given one, or is spelled almost like it."""
    import difflib  # noqa: PLC0415  (imported only where something is mistyped)

    word = given.lstrip("-")
    spelling = f"--{word}" if given.startswith("-") else word
    guesses = [name for name in known if word and name.lstrip("-").startswith(word)]
    guesses += [name for name in known if word and name.endswith(f".{word}")]
    guesses += difflib.get_close_matches(spelling, known, 1, _SIMILARITY)
    return f"did you mean {guesses[0]}?" if guesses else f"see {prog} --help"

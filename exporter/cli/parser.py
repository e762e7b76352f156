"""Reading arguments as argparse does, and one clear line for every mistake."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, Never

from exporter.errors import UsageError

PROGRAM = "listen-queue-exporter"
COMMANDS = {
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


class Parser(argparse.ArgumentParser):
    """Argparse that raises UsageError instead of printing its usage and leaving."""

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
        """Raise UsageError."""
        said = message.removeprefix("argument ")
        for pattern, replacement in _REWORDED:
            said = re.sub(pattern, replacement, said, count=1)
        raise UsageError(said)

    def read(self, argv: Sequence[str]) -> dict[str, Any]:
        """Return the value of every flag. `--help` prints and raises SystemExit(0). Raises UsageError."""
        self.flags.add_argument("-h", "--help", action="help", help="show this text and exit")
        for argument in argv:
            if argument == "--":
                break
            if re.match(r"-[^-].", argument):
                # Argparse would take it for `-h` run together with something.
                self.error(_unknown_flag(self, argument))
        values, unknown = self.parse_known_args(list(argv))
        if unknown:
            self.error(_unexpected(self, unknown[0]))
        return vars(values)

    def known_flags(self) -> list[str]:
        """List every flag in its long form."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]


def text(given: str) -> str:
    """Take any text but an empty one."""
    if not given:
        message = "needs a value, and got an empty one"
        raise argparse.ArgumentTypeError(message)
    return given


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """Take one of these words."""

    def convert(given: str) -> str:
        if given not in allowed:
            message = f"{given!r} is none of {', '.join(allowed)}"
            raise argparse.ArgumentTypeError(message)
        return given

    return convert


def count(given: str) -> int:
    """Take a whole number from 0 up."""
    # int() would take "1_0", " 1" and the digits of every script.
    if not (given.isascii() and given.isdigit() and len(given) <= len("999999999")):
        message = f"{given!r} is no whole number from 0 up"
        raise argparse.ArgumentTypeError(message)
    return int(given)


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
    """Suggest what begins or ends like the mistaken word, or is spelled nearly so."""
    import difflib  # noqa: PLC0415  (only a mistake needs it)

    word = given.lstrip("-")
    spelling = f"--{word}" if given.startswith("-") else word
    guesses = [name for name in known if word and name.lstrip("-").startswith(word)]
    guesses += [name for name in known if word and name.endswith(f".{word}")]
    guesses += difflib.get_close_matches(spelling, known, 1, _SIMILARITY)
    return f"did you mean {guesses[0]}?" if guesses else f"see {prog} --help"

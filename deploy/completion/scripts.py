"""The scripts that shells read, written by shtab."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import shtab

from exporter.cli.command_parsers import command_parsers
from exporter.cli.parser import COMMANDS, PROGRAM, Parser
from exporter.cli.values import OneOf

FOLDER: Final = Path(__file__).parent
# The shell, and the name of its file: bash and zsh find one by its name.
FILES: Final = {
    "bash": FOLDER / PROGRAM,
    "zsh": FOLDER / f"_{PROGRAM}",
    "fish": FOLDER / f"{PROGRAM}.fish",
}


def script(shell: str) -> str:
    """Return the script for `bash`, `zsh` or `fish`."""
    parsers = {name: _completing(parser) for name, parser in command_parsers().items()}
    daemon = parsers.pop("")
    # The exporter reads a command by itself and then its flags; only this tree has all of them.
    tree = argparse.ArgumentParser(prog=PROGRAM, parents=[daemon], description=daemon.description)
    commands = tree.add_subparsers()
    for name, parser in parsers.items():
        commands.add_parser(name, parents=[parser], help=COMMANDS[name])
    text: str = shtab.complete(tree, shell=shell)
    return text.rstrip("\n") + "\n"


def _completing(parser: Parser) -> Parser:
    """Say what completes a value: the names of files, or the words that the flag takes."""
    for action in parser._actions:  # noqa: SLF001  (argparse has no other list of them)
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        if isinstance(action.type, OneOf):
            action.choices = action.type.allowed
    return parser

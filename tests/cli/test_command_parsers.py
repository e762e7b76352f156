"""The parsers of all commands."""

from __future__ import annotations

import pytest

from exporter.cli.command_parsers import command_parsers
from exporter.cli.parser import COMMANDS
from exporter.cli.values import text


def test_there_is_one_for_the_daemon_and_one_for_each_command() -> None:
    assert sorted(command_parsers()) == sorted(["", *COMMANDS])


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_each_is_that_of_the_command_and_its_own(command: str) -> None:
    parser = command_parsers()[command]
    assert parser.prog == f"listen-queue-exporter {command}".strip()
    parser.flags.add_argument("--another", type=text)
    assert "--another" not in command_parsers()[command].known_flags()

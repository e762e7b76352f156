"""The committed scripts are those of the parser, and real shells complete with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.completion.scripts import FILES, script
from exporter.cli.command_parsers import command_parsers
from exporter.cli.parser import COMMANDS, PROGRAM
from tests.deploy.completion import shells

SHELLS = pytest.mark.parametrize("shell", [shells.bash, shells.zsh, shells.fish])
ONLY_ONE = [
    ("--web.ena", "--web.enable-lifecycle"),
    ("--log.level deb", "debug"),
    ("hist", "history"),
    ("doctor --fo", "--for"),
    ("history --si", "--since"),
    ("show --prom", "--prometheus"),
    ("--config.file config.exa", "config.example.yaml"),
    ("check-config config.exa", "config.example.yaml"),
]


@pytest.mark.parametrize("shell", FILES)
def test_the_files_are_those_of_the_parser(shell: str) -> None:
    """`make reference` was run after the last change."""
    assert FILES[shell].read_text() == script(shell)


@pytest.mark.parametrize(("typed", "word"), ONLY_ONE)
@SHELLS
def test_a_word_is_completed(shell: Callable[[str], list[str]], typed: str, word: str) -> None:
    assert shell(f"{PROGRAM} {typed}") == [word]


@SHELLS
def test_a_command_is_not_offered_the_flags_of_the_daemon(shell: Callable[[str], list[str]]) -> None:
    assert shell(f"{PROGRAM} show --log.lev") == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shell", [shells.bash, shells.fish])
def test_every_flag_is_offered(shell: Callable[[str], list[str]], command: str) -> None:
    flags = {*command_parsers()[command].known_flags(), "--help"}
    assert {word for word in shell(f"{PROGRAM} {command} --") if word.startswith("--")} == flags


@pytest.mark.parametrize("shell", [shells.bash, shells.fish])
def test_every_command_is_offered(shell: Callable[[str], list[str]]) -> None:
    assert set(COMMANDS) <= set(shell(f"{PROGRAM} "))

"""config.example.yaml: made from the declarations, with every key and its default in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config import Config, ConfigFile, parse
from exporter.config.example import example
from exporter.config.model import Rule
from exporter.yamlfile.key import Key, keys_of
from exporter.yamlfile.section import keys_below

WRITTEN = Path(__file__).parents[2] / "config.example.yaml"


def below(key: Key) -> Iterator[Key]:
    yield key
    for each in keys_below(key):
        yield from below(each)


def test_the_file_is_made_from_the_declarations() -> None:
    assert WRITTEN.read_text() == example(), "run `make reference`"


def test_the_command_prints_the_file() -> None:
    command = [sys.executable, "-m", "exporter.config.example"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == example()


def test_all_but_the_rules_is_the_default() -> None:
    config = ConfigFile(str(WRITTEN)).load()
    assert replace(config, rules=()) == Config()
    assert [rule.name for rule in config.rules] == ["edge", "php", "loopback", "ftp transfers", "batch"]


@pytest.mark.parametrize("key", [each.name for key in keys_of(Config) for each in below(key)])
def test_every_key_is_there(key: str) -> None:
    assert any(line.strip(" -#").startswith((f"{key}:", f"{key},")) for line in example().splitlines())


@pytest.mark.parametrize("key", keys_of(Rule), ids=lambda key: key.name)
def test_the_rules_show_or_explain_every_key_of_a_rule(key: Key) -> None:
    comment = example().partition("# Rules for some")[2].partition("\nrules:\n")[0]
    assert f"{key.name}:" in comment or f"{key.name}," in comment


def test_no_line_is_longer_than_a_screen_is_wide() -> None:
    assert max(map(len, example().splitlines())) <= 110


def test_a_file_of_the_defaults_alone_is_valid() -> None:
    assert parse(example().partition("# Rules for some")[0], "example") == Config()

"""How keys are declared: with a default that is read as the file is, and a description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

import pytest

from exporter.config import Config, ConfigError
from exporter.config.model import Match, Rule, Sampling
from exporter.owners.owner import OWNER_FACTS
from exporter.yamlfile.key import Key, key, key_of, keys_of
from exporter.yamlfile.quantities import Duration, WholeNumber
from exporter.yamlfile.section import keys_below


def all_keys(keys: tuple[Key, ...]) -> Iterator[Key]:
    for each in keys:
        yield each
        yield from all_keys(keys_below(each))


def test_a_field_has_the_value_of_its_default() -> None:
    @dataclass(frozen=True)
    class Made:
        """A mapping with one key."""

        wait_seconds: float = key("wait", Duration("0s", "1m", example="5s"), "1500ms", "How long.")

    assert Made().wait_seconds == 1.5
    assert [each.name for each in keys_of(Made)] == ["wait"]


def test_a_default_that_its_type_does_not_allow_is_an_error() -> None:
    with pytest.raises(ConfigError, match="most: 11 is too much"):
        key("most", WholeNumber(1, 10, example="5"), "11", "The most.")


def test_names_in_a_mapping_differ() -> None:
    for each in all_keys(keys_of(Config)):
        names = [below.name for below in keys_below(each)]
        assert len(names) == len(set(names))


def test_every_key_has_sentences_of_description() -> None:
    for declared in all_keys(keys_of(Config)):
        assert re.fullmatch(r"[A-Z].*\.", declared.description), declared.name


def test_an_error_says_what_to_write() -> None:
    for declared in all_keys(keys_of(Config)):
        assert declared.type.format.allowed.startswith("write "), declared.name


def test_every_field_of_the_model_is_read_from_a_key() -> None:
    for model in (Config, Sampling, Match, Rule):
        assert all("config" in declared.metadata for declared in fields(model))


def test_rules_match_the_facts_about_the_owner_that_are_for_matching() -> None:
    facts = [fact.name for fact in OWNER_FACTS if fact.match]
    assert [each.name for each in keys_of(Match)] == ["protocol", "address", "port", "netns", *facts]


def test_a_key_is_found_by_its_name() -> None:
    assert key_of(Sampling, "peak_window").default == "60s"
    with pytest.raises(KeyError):
        key_of(Sampling, "peak")

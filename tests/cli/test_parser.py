"""The parser by itself: converters, suggestions and the wording of errors."""

from __future__ import annotations

import argparse

import pytest

from exporter.cli.parser import Parser, advice
from exporter.cli.values import OneOf, count, text
from exporter.errors import UsageError


def parser() -> Parser:
    made = Parser("walk", "walk [flags]", "Walk.")
    made.flags.add_argument("--speed", type=count)
    made.flags.add_argument("--web.path", dest="path", type=text)
    made.flags.add_argument("--back", action="store_true")
    return made


def test_values_are_read_by_the_name_of_their_flag() -> None:
    values = parser().read(["--speed", "3", "--web.path=/x"])
    assert values == {"speed": 3, "path": "/x", "back": False}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--speed"], "--speed: needs a value"),
        (["--back=1"], "--back: takes no value, and got '1'"),
        (["--spee"], "unknown flag '--spee'; did you mean --speed?"),
        (["-speed"], "unknown flag '-speed'; did you mean --speed?"),
        (["-bx"], "unknown flag '-bx'; see listen-queue-exporter walk --help"),
        (["more"], "unexpected argument 'more'; see listen-queue-exporter walk --help"),
        (["show"], "unexpected 'show'; a command comes first, before any flag"),
        (["--", "-speed"], "unexpected argument '--'; see listen-queue-exporter walk --help"),
    ],
)
def test_error_is_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parser().read(argv)
    assert str(caught.value) == message


def test_long_flags_are_known_once_help_is_added() -> None:
    made = parser()
    made.read([])
    assert made.known_flags() == ["--speed", "--web.path", "--back", "--help"]


@pytest.mark.parametrize(
    ("given", "suggestion"),
    [
        ("--web.p", "--web.path"),
        ("--path", "--web.path"),
        ("--web.paht", "--web.path"),
        ("--other", None),
        ("--", None),
        ("-", None),
    ],
)
def test_a_flag_that_begins_ends_or_is_spelled_alike_is_suggested(given: str, suggestion: str | None) -> None:
    expected = f"did you mean {suggestion}?" if suggestion else "see prog --help"
    assert advice("prog", given, ["--speed", "--web.path"]) == expected


@pytest.mark.parametrize(("given", "number"), [("0", 0), ("40", 40), ("007", 7), ("999999999", 999_999_999)])
def test_count(given: str, number: int) -> None:
    assert count(given) == number


@pytest.mark.parametrize("given", ["", "-1", "+1", " 1", "1_0", "1.0", "\N{SUPERSCRIPT TWO}", "1" * 10])
def test_what_is_no_count(given: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number from 0 up"):
        count(given)


def test_text_is_not_empty() -> None:
    assert text(" ") == " "
    with pytest.raises(argparse.ArgumentTypeError):
        text("")


def test_one_of_several_words() -> None:
    convert = OneOf(("red", "green"))
    assert convert("green") == "green"
    with pytest.raises(argparse.ArgumentTypeError, match="'blue' is none of red, green"):
        convert("blue")

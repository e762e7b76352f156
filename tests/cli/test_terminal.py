"""What a terminal can show, on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from exporter.cli.terminal import Terminal

XTERM = {"TERM": "xterm-256color"}


@contextmanager
def terminal(columns: int = 80, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A stream that writes to a terminal of this width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with open(theirs, "w", encoding=encoding) as stream:  # noqa: PTH123 # a descriptor
            yield stream
    finally:
        os.close(ours)


def test_a_terminal_has_its_width_colours_and_blocks() -> None:
    with terminal(80) as stream:
        assert Terminal.of(stream, XTERM) == Terminal(80, colours=True, blocks=True)
    with terminal(132) as stream:
        assert Terminal.of(stream, XTERM).width == 132


def test_one_that_does_not_tell_its_width_has_80_columns() -> None:
    with terminal(0) as stream:
        assert Terminal.of(stream, XTERM).width == 80


@pytest.mark.parametrize(
    ("given", "width"), [("100", 100), ("", 132), ("0", 132), ("-1", 132), ("wide", 132), ("9" * 5000, 132)]
)
def test_columns_is_the_width_where_it_is_a_number(given: str, width: int) -> None:
    with terminal(132) as stream:
        assert Terminal.of(stream, XTERM | {"COLUMNS": given}).width == width


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_can_be_unwanted(variables: dict[str, str], *, colours: bool) -> None:
    with terminal() as stream:
        assert Terminal.of(stream, XTERM | variables).colours is colours


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_an_encoding_may_lack_blocks(encoding: str) -> None:
    with terminal(encoding=encoding) as stream:
        found = Terminal.of(stream, XTERM)
    assert not found.blocks
    assert found.carried("a\u65e5b") == r"a\xe6\x97\xa5b"


def test_one_that_has_every_character_changes_none() -> None:
    with terminal() as stream:
        assert Terminal.of(stream, XTERM).carried("\u65e5\U0001f600") == "\u65e5\U0001f600"


def test_a_pipe_has_neither_width_nor_colours_nor_blocks() -> None:
    assert Terminal.of(io.StringIO(), XTERM) == Terminal(None)
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:  # noqa: PTH123 # a descriptor
        assert Terminal.of(pipe, XTERM) == Terminal(None)
    os.close(reading)

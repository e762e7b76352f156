"""Names that anybody may choose imitate nothing in the table of `show`, and push nothing off the screen."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration import command

SPOOF = "0.0.0.0:443  host  nginx            900      512   175%   42.0s        512    9999"
NAMES = [
    SPOOF,
    "line\nbreak",
    "tab\tulator",
    'quote" host  nginx  1',
    "\x1b[2Kescape",
    "-",
    "\u202egnol",
    "no\u00a0break",
    "x" * 100,
    "長い名前" * 8,
]


@pytest.mark.netns
@pytest.mark.fault("paths of sockets that read like rows", "each is one cell, quoted and cut")
def test_names_of_sockets(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with ExitStack() as stack:
        for name in NAMES:
            for bound in (name, "\0" + name):
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(bound.encode())
                listener.listen()
        done = command.run("show")
    heading, *rows = done.output.splitlines()
    assert len(rows) == 2 * len(NAMES)
    # The longest name, its quotes, and what separates it from the next column.
    assert heading.index("OWNER") <= 64 + 2 + 2
    for row in rows:
        assert row.isprintable()
        shown = row.split('"')
        # What is outside of the quotes has as many cells as there are columns; a queue is two words.
        assert (
            len((shown[0] + "x" + shown[-1] if len(shown) == 3 else row).split()) == len(heading.split()) + 1
        ), row
    assert not [row for row in rows if row.startswith("0.0.0.0:443")]


@pytest.mark.netns
def test_a_name_in_an_error_is_one_line(tmp_path: Path) -> None:
    done = command.run("check-config", str(tmp_path / "a\nlisten-queue-exporter: b"))
    assert done.status == 2
    assert done.errors.count("\n") == 1

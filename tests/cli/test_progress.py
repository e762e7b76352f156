"""The line that says how far long work is."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.cli import progress
from testbed import terminal
from testbed.waiting import until


class Seen:
    """What was written to a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._found = b""

    def text(self) -> str:
        while select.select([self._descriptor], [], [], 0.0)[0]:
            self._found += os.read(self._descriptor, 65_536)
        return self._found.decode()


@contextmanager
def stderr_on_terminal(monkeypatch: pytest.MonkeyPatch, term: str = "xterm") -> Iterator[Seen]:
    ours, theirs = terminal.opened(24, 30)
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("COLUMNS", raising=False)
    with open(theirs, "w") as stream:  # noqa: PTH123 # a descriptor
        monkeypatch.setattr(sys, "stderr", stream)
        yield Seen(ours)
    os.close(ours)


def test_the_line_says_what_is_left_and_is_erased_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_on_terminal(monkeypatch) as seen:
        with progress.watching(90.0, delay_seconds=0.0):
            until(seen.text, lambda text: text.count("\r") > 1)
        lines = seen.text().split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""
    # Cut to the width of the terminal, less the place of the cursor.
    assert all(re.fullmatch(r"watching t\.\.\.ueues, (90|8\d) s left", line) for line in lines[1:-1]), lines


def test_what_ends_at_once_has_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_on_terminal(monkeypatch) as seen:
        with progress.doing("looking"):
            pass
        assert seen.text() == ""


@pytest.mark.parametrize("term", ["dumb", None])
def test_where_nobody_can_read_it_nothing_is_written(
    term: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()
    if term is None:
        with progress.doing("looking", delay_seconds=0.0):
            assert threading.active_count() == before
        assert capsys.readouterr().err == ""
        return
    with stderr_on_terminal(monkeypatch, term) as seen:
        with progress.doing("looking", delay_seconds=0.0):
            assert threading.active_count() == before
        assert seen.text() == ""


def test_it_ends_with_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_on_terminal(monkeypatch) as seen:

        def fail() -> None:
            until(seen.text, lambda text: "looking, for 0 s" in text)
            raise KeyError

        with pytest.raises(KeyError), progress.doing("looking", delay_seconds=0.0):
            fail()
        assert seen.text().endswith("\r\x1b[K")

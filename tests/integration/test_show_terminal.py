"""What `show` writes to a terminal: lines that fit, colours, and no name that could control it."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.cli import table
from testbed import privileges, terminal
from testbed.screen import Screen
from tests.integration import command, listening_sockets

ROOT = Path(__file__).resolve().parents[2]
ESCAPE = re.compile("\x1b\\[[0-9;]*m")
WIDE = "長い名前" * 4
HOSTILE = "\x1b[2J\x1b]0;title\x07\r\b\u202e\x9b31m"


def on_terminal(columns: int = 80, **variables: str) -> list[str]:
    """The lines that `show` writes to a terminal of this width."""
    program = [sys.executable, "-m", "exporter", "show"]
    return terminal.written(program, columns, variables, privileges.deny_other_namespaces)


@pytest.mark.netns
def test_a_terminal_of_80_columns_has_whole_lines_with_colours() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=4))
        stack.enter_context(listening_sockets.tcp("::1", 8081))
        stack.enter_context(listening_sockets.unix(b"\0" + b"n" * 90))
        for client in listening_sockets.clients(full, 5):
            stack.enter_context(client)
        coloured = on_terminal()
        plain = [ESCAPE.sub("", line) for line in coloured]
        assert max(map(table.width, plain)) <= 80
        assert all(line.isprintable() for line in plain)
        assert plain[0].split() == ["LISTENER", "OWNER", "QUEUE", "SYN", "DROPS", "OLDEST", "STATE"]
        assert plain[1].startswith("127.0.0.1:8080 ")
        assert "\x1b[1;31mfull\x1b[0m" in coloured[1]
        assert "\x1b[1;31m██" in coloured[1]
        assert "\x1b[32mok\x1b[0m" in coloured[2]
        wider = on_terminal(columns=132, NO_COLOR="1")
        assert max(map(table.width, wider)) > 80
        assert not any("\x1b" in line for line in wider)
        piped = command.run("show").output
        assert piped.isascii()
        assert "5/4 ##########" in piped
        assert "\x1b" not in piped


@pytest.mark.netns
def test_names_are_aligned_and_control_nothing() -> None:
    with ExitStack() as stack:
        for name in (WIDE, HOSTILE, "plain"):
            stack.enter_context(listening_sockets.unix(b"\0" + name.encode()))
        lines = on_terminal(columns=100, NO_COLOR="1")
        assert len(lines) == 4
        assert all(line.isprintable() for line in lines)
        # Every line has its state in the same column.
        ends = {table.width(line[: line.rindex("ok")]) for line in lines[1:]}
        assert ends == {table.width(lines[0][: lines[0].index("STATE")])}
        (wide,) = (line for line in lines if "名前" in line)
        assert table.width(wide) > len(wide)


@pytest.mark.netns
@pytest.mark.parametrize("command_line", [("show",), ("doctor",)])
def test_a_watch_shows_how_long_it_still_takes(command_line: tuple[str, ...]) -> None:
    with listening_sockets.tcp("127.0.0.1"):
        program = [sys.executable, "-m", "exporter", *command_line, "--for=3s"]
        before_exec = privileges.deny_other_namespaces
        with Screen(program, cwd=ROOT, before_exec=before_exec) as screen:
            screen.until_shown("watching the queues, ", " s left")
            assert screen.wait() == 0
            assert not any("watching the queues" in line for line in screen.lines)

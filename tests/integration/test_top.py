"""The command `top` in a screen."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed import privileges
from testbed.daemon import running
from testbed.screen import Screen
from tests.integration import command, listening_sockets
from tests.integration.metric_values import until_figure

ROOT = Path(__file__).resolve().parents[2]
BACKLOG = 4


def top(*arguments: str, columns: int = 80, term: str = "xterm-256color") -> Screen:
    return Screen(
        [sys.executable, "-m", "exporter", "top", *arguments],
        columns=columns,
        cwd=ROOT,
        env={"TERM": term, "PYTHONPATH": str(ROOT)},
        before_exec=privileges.deny_other_namespaces,
    )


@contextmanager
def full_listener(port: int) -> Iterator[socket.socket]:
    """A listener whose accept queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", port, backlog=BACKLOG))
        for client in listening_sockets.clients(listener, BACKLOG + 1):
            stack.enter_context(client)
        yield listener


@pytest.mark.netns
@pytest.mark.parametrize("columns", [80, 132])
def test_a_full_queue_is_seen_and_its_end_as_well(columns: int) -> None:
    with (
        listening_sockets.tcp("127.0.0.1", 9090),
        full_listener(8080) as listener,
        top(columns=columns) as screen,
    ):
        screen.until_shown("127.0.0.1:8080", "5/4", "████████", "full")
        # The last second of the minute is the one that is full.
        minute = re.compile(r"████████ .*█ .*full")
        screen.until(lambda lines: any(map(minute.search, lines)))
        screen.until_shown("2 listeners, 1 full", "overflows 0.0/s, SYN cookies 0.0/s")
        lines = screen.lines
        assert max(map(len, lines)) <= columns
        rows = [line.split()[0] for line in lines if line.lstrip().startswith("127.0.0.1")]
        assert rows == ["127.0.0.1:8080", "127.0.0.1:9090"], "the worst first"
        for accepted in listening_sockets.accept(listener, BACKLOG + 1):
            accepted.close()
        screen.until_shown("127.0.0.1:8080", "0/4", "░░░░░░░░", "ok")
        screen.press("q")
        assert screen.wait() == 0
        assert screen.is_restored


@pytest.mark.netns
def test_keys() -> None:
    with (
        listening_sockets.tcp("127.0.0.1", 9090),
        full_listener(8080) as listener,
        top(columns=120) as screen,
    ):
        screen.until_shown("127.0.0.1:9090")
        screen.press("s")
        screen.until_shown("sorted by now")
        screen.press("/")
        screen.until_shown("words that a listener must have")
        screen.press("9090")
        screen.until(lambda lines: not any("127.0.0.1:8080" in line for line in lines))
        screen.press("\r")
        screen.until_shown("filter: 9090")
        screen.press("\x1b")
        screen.until_shown("127.0.0.1:8080")
        screen.press("p")
        screen.until_shown("PAUSED")
        for accepted in listening_sockets.accept(listener, BACKLOG + 1):
            accepted.close()
        screen.until_shown("127.0.0.1:8080", "5/4", "full")
        screen.press("p")
        screen.until_shown("127.0.0.1:8080", "0/4", "ok")


@pytest.mark.netns
def test_detail_of_a_listener_with_its_history() -> None:
    with full_listener(8080), top() as screen:
        screen.until_shown("127.0.0.1:8080", "full")
        screen.press("\r")
        screen.until_shown("accept queue: 5 of 4, at most 5 lately, warning at 50%, critical at 90%")
        screen.until_shown("at most 5, backlog 4 (100% full)")
        screen.press("\x1b")
        screen.until_shown("LISTENER", "STATE")


@pytest.mark.netns
def test_a_running_exporter() -> None:
    with (
        running() as daemon,
        full_listener(8080),
        top("--url=http://127.0.0.1:10511", "--port=8080", columns=120) as screen,
    ):
        screen.until_shown("127.0.0.1:8080", "5/4", "full")
        assert not any(":10511" in line for line in screen.lines)
        until_figure(daemon, 5, "accept_length", port="8080")
        screen.press("\r")
        screen.until_shown("backlog 4 (100% full)")
        screen.press("\x1b")
        daemon.stop()
        screen.until_shown("no exporter answers at http://127.0.0.1:10511")
        assert not any("127.0.0.1:8080" in line for line in screen.lines), "nothing old"


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(number: int) -> None:
    with listening_sockets.tcp("127.0.0.1", 8080), top() as screen:
        screen.until_shown("127.0.0.1:8080")
        screen.signal(number)
        assert screen.wait() == 0
        assert screen.is_restored


@pytest.mark.netns
@pytest.mark.parametrize(("arguments", "term"), [(("--plain",), "xterm"), ((), "dumb")])
def test_a_plain_terminal_has_the_table_anew(arguments: tuple[str, ...], term: str) -> None:
    with full_listener(8080) as listener, top(*arguments, term=term) as screen:
        screen.until_shown("127.0.0.1:8080", "5/4", "full")
        for accepted in listening_sockets.accept(listener, BACKLOG + 1):
            accepted.close()
        screen.until_shown("127.0.0.1:8080", "0/4", "ok")
        screen.until_shown("1 listener, all ok")
        screen.press("\x03")
        assert screen.wait() == 128 + signal.SIGINT


@pytest.mark.netns
def test_the_line_above_the_table_stays_however_many_listeners_there_are() -> None:
    with ExitStack() as stack:
        for port in range(9000, 9040):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
        screen = stack.enter_context(top())
        screen.until_shown("127.0.0.1:9009")
        lines = screen.lines
        assert lines[0].startswith("40 listeners, all ok")
        assert any("LISTENER" in line and "MINUTE" in line for line in lines)
        screen.until(lambda shown: "quit" in shown[-1])
        # Ctrl and End.
        screen.press("\x1b[1;5F")
        screen.until_shown("127.0.0.1:9039")
        assert screen.lines[0].startswith("40 listeners, all ok")
        plain = stack.enter_context(top("--plain"))
        plain.until_shown("more")
        assert plain.lines[0].startswith("40 listeners, all ok")


@pytest.mark.netns
def test_a_terminal_that_takes_no_control_sequences_gets_none() -> None:
    with listening_sockets.tcp("127.0.0.1", 8080):
        for arguments in ((), ("--plain",)):
            with top(*arguments, term="dumb") as screen:
                screen.until(lambda lines: sum("127.0.0.1:8080" in line for line in lines) > 1)
                assert b"\x1b" not in screen.received


@pytest.mark.netns
def test_without_a_terminal_it_says_what_to_use() -> None:
    done = command.run("top")
    assert done.status == 2
    assert done.errors == "listen-queue-exporter: top needs a terminal; show prints the same once\n"


@pytest.mark.netns
def test_hostile_names_reach_no_terminal() -> None:
    with listening_sockets.unix(b"\0\x1b]0;x\x07\x1b[2J[bold]"), top() as screen:
        shown = screen.until_shown("\\x1b[2J")
        assert "[bold]" in shown or "..." in shown

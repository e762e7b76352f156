"""The sockets that a service manager passes: which are taken, and which are refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from exporter.cli.passed_sockets import passed_sockets
from exporter.errors import RunError

ANOTHER_PROCESS = "1"


def test_its_variables_are_removed_from_the_environment() -> None:
    """A child process would take them for its own."""
    environment = {"HOME": "/", "LISTEN_PID": ANOTHER_PROCESS, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    passed_sockets(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("value", ["", "three", "-1", "1.5", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(RunError) as refused:
        passed_sockets({"LISTEN_FDS": value, "LISTEN_PID": str(os.getpid())})
    assert str(refused.value).startswith(f"LISTEN_FDS is {value!r} and no number")


def test_sockets_for_another_process_are_not_taken() -> None:
    assert passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": ANOTHER_PROCESS}) == []
    assert passed_sockets({"LISTEN_FDS": "1"}) == []


def test_without_a_number_of_sockets_none_is_taken() -> None:
    assert passed_sockets({"LISTEN_PID": str(os.getpid())}) == []


def passed(descriptor: int) -> list[socket.socket]:
    """What is taken where a copy of a descriptor is passed."""
    os.dup2(descriptor, 3)
    return passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})


@pytest.mark.netns
def test_a_listening_socket_is_taken_and_not_inherited() -> None:
    """The test runs in a process of its own, whose descriptor 3 it may use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        [taken] = passed(listener.fileno())
        assert (taken.fileno(), taken.getsockname()) == (3, listener.getsockname())
        assert not taken.getblocking()
        assert not taken.get_inheritable()
        taken.close()


@pytest.mark.netns
def test_what_is_no_listening_tcp_socket_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as not_listening:
        unix.bind("\0listener")
        unix.listen()
        for opened in (unix, not_listening):
            with pytest.raises(
                RunError, match="descriptor 3 from LISTEN_FDS is no TCP socket that listens; "
            ):
                passed(opened.fileno())


@pytest.mark.netns
def test_a_descriptor_that_is_no_socket_is_refused() -> None:
    expected = pytest.raises(RunError, match="descriptor 3 from LISTEN_FDS is no socket: ")
    with Path("/dev/null").open("rb") as file, expected:
        passed(file.fileno())
    os.close(3)
    with pytest.raises(RunError, match="descriptor 3 from LISTEN_FDS is no socket: Bad file descriptor"):
        passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})

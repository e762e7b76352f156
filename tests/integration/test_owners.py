"""The process behind a listener."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import syscalls
from testbed.daemon import running
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled
from tests.integration.service import Service

QUEUE = {"port": "8080"}
CLONE_FILES = 0x400


def one() -> list[socket.socket]:
    """A TCP queue."""
    return [listening_sockets.tcp("127.0.0.1")]


def shared() -> list[socket.socket]:
    """A member of a group."""
    return [listening_sockets.tcp("127.0.0.1", reuse_port=True)]


@pytest.mark.netns
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"web-server", "web-server"),
        (b"fifteen-bytes--", "fifteen-bytes--"),
        (b") S 1 1 (", ") S 1 1 ("),
        ("naïve".encode(), "naïve"),
        (b'a\n"b\\c\xff\x01', r'a\x0a"b\x5cc\xff\x01'),
        (b"\n# EOF\n", r"\x0a# EOF\x0a"),
    ],
)
def test_a_listener_carries_the_name_of_its_process(name: bytes, shown: str) -> None:
    with Service(name, one), running(config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", process=shown, **QUEUE)
        until_figure(daemon, 1, "exporter_source_success", source="owners")
        until_figure(daemon, 0, "exporter_sockets_without_owner")


@pytest.mark.netns
def test_a_listener_that_comes_later_has_its_name_from_the_start() -> None:
    with running(config=EAGER) as daemon, Service(b"late", one):
        until_figure(daemon, 0, "accept_length", **QUEUE)
        assert figure(daemon, "accept_length", process="late", **QUEUE) == 0


@pytest.mark.netns
def test_of_processes_that_share_a_socket_the_parent_is_the_owner() -> None:
    with Service(b"master", one, workers=3), running(config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", process="master", **QUEUE)
        until_figure(daemon, 1, "sockets", **QUEUE)


@pytest.mark.netns
def test_programs_that_share_a_port_are_listeners_of_their_own() -> None:
    with Service(b"first", shared), Service(b"second", shared), running(config=EAGER) as daemon:
        for process in (b"first", b"second"):
            until_figure(daemon, 1, "sockets", process=process.decode(), **QUEUE)


@pytest.mark.netns
def test_processes_of_one_program_that_share_a_port_are_one_listener() -> None:
    with Service(b"web", shared), Service(b"web", shared), running(config=EAGER) as daemon:
        until_figure(daemon, 2, "sockets", process="web", **QUEUE)
        assert figure(daemon, "sockets", **QUEUE) == 2


@pytest.mark.netns
def test_another_program_at_the_same_address_starts_its_own_series() -> None:
    """The drops of the program before are not counted for it."""
    with ExitStack() as stack, running(config=EAGER) as daemon:
        with Service(b"before", lambda: [listening_sockets.tcp("127.0.0.1", backlog=0)]):
            stack.enter_context(_client())
            for _ in range(2):
                stack.enter_context(_refused())
            until_figure(daemon, 1, "accept_utilization_ratio", process="before", **QUEUE)
            for name, least in (("drops_total", 2), ("accept_full_seconds_total", 0.1)):
                until(
                    lambda: figure(daemon, name, process="before", **QUEUE) or 0,  # noqa: B023  (called at once)
                    lambda found: found >= least,  # noqa: B023  (called at once)
                )
        until_figure(daemon, None, "drops_total", **QUEUE)
        stack.close()
        with Service(b"after", one):
            until_figure(daemon, 0, "drops_total", process="after", **QUEUE)
            until_figure(daemon, 0, "accept_full_seconds_total", process="after", **QUEUE)
            assert figure(daemon, "drops_total", process="before", **QUEUE) is None


LEADERLESS = """
import ctypes, socket, threading, time
def serve():
    with socket.create_server(("127.0.0.1", 8080)), socket.socket(socket.AF_UNIX) as local:
        local.bind("app.sock")
        local.listen()
        print("ready", flush=True)
        time.sleep(1000)
threading.Thread(target=serve).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.netns
def test_a_process_whose_first_thread_has_ended_is_named_and_not_sought_again(tmp_path: Path) -> None:
    """What it runs, and where it is, only its other threads tell."""
    (tmp_path / "shop.py").write_text(LEADERLESS)
    command = [sys.executable, "shop.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        with running(config=EAGER) as daemon:
            until_figure(daemon, 0, "accept_length", process="shop.py", **QUEUE)
            until_figure(daemon, 0, "accept_length", process="shop.py", address=f"{tmp_path}/app.sock")
            # Owners are looked at every two seconds.
            end = time.monotonic() + 5
            missing = []
            while time.monotonic() < end:
                missing.append(figure(daemon, "exporter_sockets_without_owner"))
            assert set(missing) == {0}
        service.kill()


@pytest.mark.netns
def test_a_socket_in_the_own_table_of_a_thread_has_no_owner_and_is_counted() -> None:
    """A known limit (docs/decisions.md, 60)."""
    listens = threading.Event()

    def listen_in_thread() -> None:
        syscalls.unshare(CLONE_FILES)
        with listening_sockets.tcp("127.0.0.1"):
            listens.set()
            threading.Event().wait()

    def start() -> list[socket.socket]:
        threading.Thread(target=listen_in_thread, daemon=True).start()
        assert listens.wait(10)
        return []

    with Service(b"threads", start), running(config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", process="", **QUEUE)
        until_figure(daemon, 1, "exporter_sockets_without_owner")


@pytest.mark.netns
def test_the_user_of_a_listener_is_on_its_info() -> None:
    with Service(b"web-server", one), running(config=EAGER) as daemon:
        user = pwd.getpwuid(os.getuid()).pw_name
        until_figure(daemon, 1, "listener_info", user=user, process="web-server", **QUEUE)


@pytest.mark.netns
def test_a_socket_that_is_inherited_while_it_listens_keeps_a_series() -> None:
    """The supervisor that opened it goes away, the worker stays; there is one listener all the time."""
    opened = listening_sockets.tcp("127.0.0.1")
    with Service(b"worker", lambda: [opened]), running(config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", **QUEUE)
        opened.close()
        until_sampled(daemon, "inet", 30)
        assert figure(daemon, "accept_length", **QUEUE) == 0


def _client() -> socket.socket:
    client = socket.socket()
    client.connect(("127.0.0.1", 8080))
    return client


def _refused() -> socket.socket:
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    client.connect_ex(("127.0.0.1", 8080))
    return client


def hanging() -> list[socket.socket]:
    return [listening_sockets.tcp("127.0.0.1", backlog=3, reuse_port=True)]


@pytest.mark.netns
def test_of_programs_that_share_a_port_the_one_that_hangs_has_the_waiting_connections() -> None:
    """And the age of the oldest is told of it alone."""

    def serving() -> list[socket.socket]:
        opened = hanging()
        threading.Thread(target=accept_all, args=(opened[0],), daemon=True).start()
        return opened

    with (
        Service(b"green", hanging),
        Service(b"blue", serving),
        running(config=EAGER) as daemon,
        ExitStack() as stack,
    ):
        for _ in range(30):
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(("127.0.0.1", 8080))
        until_figure(daemon, 1, "accept_utilization_ratio", process="green", **QUEUE)
        until_figure(daemon, 0, "accept_length", process="blue", **QUEUE)
        until(
            lambda: figure(daemon, "accept_oldest_wait_seconds", process="green", **QUEUE) or 0,
            lambda seconds: seconds > 1,
        )
        until_figure(daemon, 0, "accept_oldest_wait_seconds", process="blue", **QUEUE)


@pytest.mark.netns
def test_a_socket_that_no_process_holds_is_none_of_the_program_at_its_port() -> None:
    """Its descriptor is in a message that nobody has taken (SCM_RIGHTS)."""
    with ExitStack() as stack:
        sender, receiver = map(stack.enter_context, socket.socketpair())
        with listening_sockets.tcp("127.0.0.1", backlog=1, reuse_port=True) as lost:
            socket.send_fds(sender, [b"x"], [lost.fileno()])
        stack.callback(receiver.recv, 1)
        stack.enter_context(Service(b"shopd", shared))
        for _ in range(30):
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(("127.0.0.1", 8080))
        daemon = stack.enter_context(running(config=EAGER))
        until_figure(daemon, 1, "sockets", process="shopd", **QUEUE)
        until_figure(daemon, 1, "sockets", process="", **QUEUE)
        until_figure(daemon, 2, "accept_length", process="", **QUEUE)
        until_figure(daemon, 1, "exporter_sockets_without_owner")


def accept_all(listener: socket.socket) -> None:
    """Accept every connection and close it."""
    while True:
        listener.accept()[0].close()

"""Messages to a service manager, and what it passes to the process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from exporter.cli.systemd import ServiceManager
from exporter.errors import RunError

WATCHDOG_SECONDS = 30.0
STATUS_SECONDS = 10.0
# systemd discards a longer datagram.
SYSTEMD_READS_BYTES = 4096
ANOTHER_PROCESS = "1"
NOW_NS = 1_234_567_890


class NotifySocket:
    """The service manager's end of sd_notify(3); an address that begins with @ is an abstract name."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket_address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.socket_address)
        self._socket.setblocking(False)  # noqa: FBT003  (the standard library's signature)

    def received(self) -> list[dict[str, str]]:
        """Return the messages since the last call, as values by name."""
        messages = []
        with suppress(BlockingIOError):
            while True:
                lines = self._socket.recv(65536).decode().split("\n")
                messages.append(dict(line.split("=", 1) for line in lines))
        return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract name"])
def notify_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """A service manager at either kind of address."""
    path = str(tmp_path / "notify")
    opened = NotifySocket(path if request.param == "path" else f"@{os.getpid()}-{path}")
    yield opened
    opened.close()


class Service:
    """A service in the state that a test sets."""

    def __init__(self, status: str = "fine", *, is_started: bool = True) -> None:
        self.is_started = is_started
        self.late = 0.0
        self.text = status

    def started(self) -> bool:
        return self.is_started

    def late_seconds(self) -> float:
        return self.late

    def status(self) -> str:
        return self.text


class LastPauseError(Exception):
    """Ends `ServiceManager.report`."""


class Pauses:
    """Stands in for asyncio.sleep: runs one step of a test in each pause, and stops after the last."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if not self._steps:
            raise LastPauseError
        self._steps.pop(0)()


def manager(address: str, pauses: Pauses, **variables: str) -> ServiceManager:
    environment = {"NOTIFY_SOCKET": address, **variables}
    return ServiceManager(environment, sleep=pauses.sleep, monotonic_ns=lambda: NOW_NS)


def report(service_manager: ServiceManager, service: Service) -> None:
    with pytest.raises(LastPauseError):
        asyncio.run(service_manager.report(service))


def nothing() -> None:
    """A pause in which nothing happens."""


def test_ready_comes_first_then_watchdog_and_status(notify_socket: NotifySocket) -> None:
    report(manager(notify_socket.address, Pauses()), Service())
    assert notify_socket.received() == [{"READY": "1"}, {"WATCHDOG": "1", "STATUS": "fine"}]


def test_nothing_is_sent_before_the_service_has_started(notify_socket: NotifySocket) -> None:
    service = Service(is_started=False)
    before: list[dict[str, str]] = []

    def start() -> None:
        before.extend(notify_socket.received())
        service.is_started = True

    report(manager(notify_socket.address, Pauses(nothing, nothing, start)), service)
    assert before == []
    assert notify_socket.received()[0] == {"READY": "1"}


def test_status_is_sent_again_after_each_pause(notify_socket: NotifySocket) -> None:
    service = Service("one")

    def change() -> None:
        service.text = "two"

    report(manager(notify_socket.address, Pauses(change)), service)
    assert [message.get("STATUS") for message in notify_socket.received()] == [None, "one", "two"]


def test_a_reload_begins_with_the_time_and_ends_with_the_status(notify_socket: NotifySocket) -> None:
    pauses = Pauses()
    service_manager = manager(notify_socket.address, pauses)
    report(service_manager, Service())
    notify_socket.received()
    service_manager.reloading()
    service_manager.reloaded("new")
    assert notify_socket.received() == [
        {"RELOADING": "1", "MONOTONIC_USEC": str(NOW_NS // 1000)},
        {"READY": "1", "STATUS": "new"},
    ]


def test_time_of_a_reload_is_that_of_the_monotonic_clock(tmp_path: Path) -> None:
    """CLOCK_MONOTONIC, as sd_notify(3) requires."""
    notify_socket = NotifySocket(str(tmp_path / "notify"))
    service_manager = ServiceManager({"NOTIFY_SOCKET": notify_socket.address}, sleep=Pauses().sleep)
    report(service_manager, Service())
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    service_manager.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(notify_socket.received()[-1]["MONOTONIC_USEC"]) <= after
    notify_socket.close()


def test_a_reload_before_the_start_sends_nothing(notify_socket: NotifySocket) -> None:
    """SIGHUP may come during the first sample, and the end of a reload is a READY=1."""
    service = Service(is_started=False)
    received: list[dict[str, str]] = []

    def reload() -> None:
        service_manager.reloading()
        service_manager.reloaded("new")
        received.extend(notify_socket.received())

    service_manager = manager(notify_socket.address, Pauses(reload))
    report(service_manager, service)
    assert received == []


def test_the_end_is_told(notify_socket: NotifySocket) -> None:
    manager(notify_socket.address, Pauses()).stopping()
    assert notify_socket.received() == [{"STOPPING": "1"}]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": ANOTHER_PROCESS}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "60000000"}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "0"}, STATUS_SECONDS),
    ],
)
def test_watchdog_is_fed_twice_in_its_time(
    notify_socket: NotifySocket, variables: dict[str, str], seconds: float
) -> None:
    """At least every 10 s, for the status; not in the time of another process."""
    pauses = Pauses(nothing, nothing)
    report(manager(notify_socket.address, pauses, **variables), Service())
    assert pauses.seconds == [seconds] * 3


def test_watchdog_is_not_fed_while_the_service_is_late(notify_socket: NotifySocket) -> None:
    service = Service()

    def late() -> None:
        service.late = 17.4

    def recover() -> None:
        service.late = 0.0

    pauses = Pauses(late, nothing, recover)
    report(manager(notify_socket.address, pauses, WATCHDOG_USEC=f"{WATCHDOG_SECONDS * 1e6:.0f}"), service)
    assert notify_socket.received() == [
        {"READY": "1"},
        {"WATCHDOG": "1", "STATUS": "fine"},
        {"STATUS": "no sample for 17 s"},
        {"STATUS": "no sample for 17 s"},
        {"WATCHDOG": "1", "STATUS": "fine"},
    ]


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "\N{SNOWMAN}" * 5000, "one\nREADY=1\r\ntwo\u2028three", "\udc80"], ids=ascii
)
def test_status_is_one_line_that_systemd_reads(notify_socket: NotifySocket, text: str) -> None:
    """systemd discards a datagram that is too long, and reads each line as an assignment."""
    report(manager(notify_socket.address, Pauses()), Service(text))
    _, message = notify_socket.received()
    assert set(message) == {"WATCHDOG", "STATUS"}
    assert len(message["STATUS"].splitlines()) == 1
    assert len(message["STATUS"].encode()) < SYSTEMD_READS_BYTES - len("WATCHDOG=1\nSTATUS=")


def test_lines_of_a_status_are_joined(notify_socket: NotifySocket) -> None:
    report(manager(notify_socket.address, Pauses()), Service("one\ntwo\r\nthree"))
    assert notify_socket.received()[-1]["STATUS"] == "one two three"


def test_sending_to_a_full_queue_is_given_up(
    notify_socket: NotifySocket, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        while fill(stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)), notify_socket):
            pass
        manager(notify_socket.address, Pauses()).stopping()
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot notify {notify_socket.address}: timed out"
    ]


def test_sending_waits_for_a_full_queue(notify_socket: NotifySocket) -> None:
    """The queue gets space only after READY=1 is sent."""
    with ExitStack() as stack:
        # Each socket has a send buffer, which may be full before the queue of the receiver is.
        while fill(stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)), notify_socket):
            pass
        filled: list[dict[str, str]] = []
        reader = threading.Timer(0.1, lambda: filled.extend(notify_socket.received()))
        reader.start()
        report(manager(notify_socket.address, Pauses()), Service())
        reader.join()
    sent = [*filled, *notify_socket.received()]
    assert sent[-2:] == [{"READY": "1"}, {"WATCHDOG": "1", "STATUS": "fine"}]


def fill(sender: socket.socket, notify_socket: NotifySocket) -> bool:
    """Send until the send buffer or the queue is full. Return whether anything was sent."""
    sender.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    sender.connect(notify_socket.socket_address)
    sent = False
    with suppress(BlockingIOError):
        while True:
            sender.send(b"STATUS=of another service")
            sent = True
    return sent


def test_a_service_manager_that_is_gone_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()
    ServiceManager({"NOTIFY_SOCKET": f"/{'x' * 200}"}).stopping()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"cannot notify {tmp_path / 'gone'}: No such file or directory"),
        (logging.WARNING, f"cannot notify /{'x' * 200}: AF_UNIX path too long"),
    ]


def test_without_a_service_manager_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    pauses = Pauses()
    service_manager = ServiceManager({}, sleep=pauses.sleep)
    asyncio.run(service_manager.report(Service()))
    service_manager.reloading()
    service_manager.reloaded("new")
    service_manager.stopping()
    assert (pauses.seconds, caplog.records) == ([], [])


def test_its_variables_are_removed_from_the_environment() -> None:
    """A child process would take them for its own."""
    environment = {"HOME": "/", "NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    ServiceManager(environment)
    assert environment == {"HOME": "/"}


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(RunError, match="WATCHDOG_USEC is 'soon' and no number"):
        ServiceManager({"WATCHDOG_USEC": "soon"})

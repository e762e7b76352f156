"""What is said to a service manager, in which order, and when nothing more is said."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.cli.systemd import ServiceManager
from exporter.sampling.sampler import Sampler
from tests.integration.service_manager import Manager, Said, says
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import real_time_sampler

WATCHDOG_SECONDS = 0.2
# A message that must not come has so long to come all the same.
SILENCE_SECONDS = 0.3
PATIENCE_SECONDS = 10.0
# systemd throws a longer datagram away.
SYSTEMD_READS_BYTES = 4096
ANOTHER_PROCESS = "1"


@pytest.fixture(params=["path", "abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A service manager at either kind of address."""
    path = str(tmp_path / "notify")
    with Manager(path if request.param == "path" else f"@{os.getpid()}-{path}") as listening:
        yield listening


def supervisor(manager: Manager, **variables: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": manager.address, **variables})


def state(manager: Manager) -> ServiceManager:
    return supervisor(manager, WATCHDOG_USEC=f"{WATCHDOG_SECONDS * 1e6:.0f}")


class Work:
    """What a supervisor asks of the exporter, as the test sets it."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.is_started = True
        self.late = 0.0
        self.status = "fine"
        self.started = sampler.asked if sampler else lambda: self.is_started
        self.late_seconds = sampler.late_seconds if sampler else lambda: self.late


def while_informed(told: ServiceManager, work: Work, test: Callable[[], None]) -> None:
    """Run a test in a thread while its manager is kept informed of the work."""

    async def both() -> None:
        informed = told.keep_informed(work.started, work.late_seconds, lambda: work.status)
        informing = asyncio.create_task(informed)
        try:
            await asyncio.to_thread(test)
        finally:
            informing.cancel()

    asyncio.run(both())


def is_late(said: Said) -> bool:
    return said.status.startswith("no sample for ") and set(said.fields) == {"STATUS"}


def test_ready_comes_first_then_the_status_and_that_all_is_well(manager: Manager) -> None:
    def test() -> None:
        assert manager.hear().fields == {"READY": "1"}
        assert manager.hear().fields == {"WATCHDOG": "1", "STATUS": "fine"}

    while_informed(supervisor(manager), Work(), test)


def test_nothing_is_said_before_the_work_has_started(manager: Manager) -> None:
    work = Work()
    work.is_started = False

    def test() -> None:
        assert manager.next(SILENCE_SECONDS) is None
        work.is_started = True
        assert manager.hear().fields == {"READY": "1"}

    while_informed(supervisor(manager), work, test)


def test_a_reload_is_begun_with_the_time_and_ended_with_the_status(manager: Manager) -> None:
    told = supervisor(manager)

    def test() -> None:
        manager.until(says(WATCHDOG="1"))
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        told.reloading()
        begun = manager.hear().fields
        assert before <= int(begun.pop("MONOTONIC_USEC")) <= time.monotonic_ns() // 1000
        assert begun == {"RELOADING": "1"}
        told.reloaded("new")
        assert manager.hear().fields == {"READY": "1", "STATUS": "new"}

    while_informed(told, Work(), test)


def test_a_reload_makes_nothing_ready(manager: Manager) -> None:
    """A SIGHUP may come while the first sample is taken."""
    told, work = supervisor(manager), Work()
    work.is_started = False

    def test() -> None:
        told.reloading()
        told.reloaded("new")
        assert manager.next(SILENCE_SECONDS) is None

    while_informed(told, work, test)


def test_all_is_well_is_said_twice_as_often_as_the_watchdog_asks(manager: Manager) -> None:
    """A busy machine makes pauses longer, and none shorter."""

    def test() -> None:
        manager.until(says(WATCHDOG="1"))
        heard = [time.monotonic()]
        for _ in range(8):
            manager.until(says(WATCHDOG="1"))
            heard.append(time.monotonic())
        assert min(after - before for before, after in pairwise(heard)) < WATCHDOG_SECONDS * 0.75
        assert heard[-1] - heard[0] > WATCHDOG_SECONDS * 2

    while_informed(state(manager), Work(), test)


def test_the_watchdog_of_another_process_is_not_minded(manager: Manager) -> None:
    told = supervisor(manager, WATCHDOG_USEC="1000", WATCHDOG_PID=ANOTHER_PROCESS)

    def test() -> None:
        manager.until(says(WATCHDOG="1"))
        assert manager.next(SILENCE_SECONDS) is None

    while_informed(told, Work(), test)


def test_who_is_late_does_not_say_that_all_is_well(manager: Manager) -> None:
    work = Work()

    def test() -> None:
        manager.until(says(WATCHDOG="1"))
        work.late = 7.4
        manager.until(says(STATUS="no sample for 7 s"))
        for _ in range(3):
            assert manager.hear().fields == {"STATUS": "no sample for 7 s"}
        work.late = 0.0
        manager.until(says(WATCHDOG="1", STATUS="fine"))

    while_informed(state(manager), work, test)


def test_nobody_says_that_all_is_well_while_a_source_blocks(manager: Manager) -> None:
    """The sampler is the real one, and what it asks does not answer for a while."""
    kernel = FakeNamespace(lambda _seconds: None)
    answers = threading.Event()
    answers.set()
    kernel.tcp.on_answer = lambda: answers.wait(PATIENCE_SECONDS)
    sampler = real_time_sampler(kernel)

    def test() -> None:
        manager.until(says(WATCHDOG="1"))
        answers.clear()
        manager.until(is_late)
        assert all(is_late(manager.hear()) for _ in range(5))
        answers.set()
        manager.until(says(WATCHDOG="1"))

    sampler.start(lambda: None)
    while_informed(state(manager), Work(sampler), test)
    sampler.stop(PATIENCE_SECONDS)


def test_nothing_is_ready_while_the_first_sample_blocks(manager: Manager) -> None:
    kernel = FakeNamespace(lambda _seconds: None)
    answers = threading.Event()
    kernel.netstat.on_answer = lambda: answers.wait(PATIENCE_SECONDS)
    sampler = real_time_sampler(kernel)

    def test() -> None:
        assert manager.next(SILENCE_SECONDS) is None
        answers.set()
        assert manager.hear().fields == {"READY": "1"}

    sampler.start(lambda: None)
    while_informed(supervisor(manager), Work(sampler), test)
    sampler.stop(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "\N{SNOWMAN}" * 5000, "one\nREADY=1\r\ntwo\u2028three", "\udc80"], ids=ascii
)
def test_a_status_is_one_line_that_systemd_takes(manager: Manager, text: str) -> None:
    """Else it would be lost with the rest of its datagram, or lines of it be taken for orders."""
    work = Work()
    work.status = text

    def test() -> None:
        manager.until(says(READY="1"))
        said = manager.hear()
        assert set(said.fields) == {"WATCHDOG", "STATUS"}
        assert len(said.status.splitlines()) == 1
        assert len(said.status.encode()) < SYSTEMD_READS_BYTES - len("WATCHDOG=1\nSTATUS=")

    while_informed(supervisor(manager), work, test)


def test_a_manager_that_has_much_to_read_is_waited_for(manager: Manager) -> None:
    """Its queue is full when READY is due."""

    def test() -> None:
        time.sleep(SILENCE_SECONDS)
        manager.until(says(READY="1"))

    with ExitStack() as stack:
        room = True
        # Each has a buffer of its own, which may be full before the queue is.
        while room:
            other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            other.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            other.connect(f"\0{manager.address[1:]}" if manager.address[0] == "@" else manager.address)
            room = False
            with suppress(BlockingIOError):
                while other.send(b"STATUS=of another service"):
                    room = True
        while_informed(supervisor(manager), Work(), test)


def test_a_manager_that_is_gone_is_complained_of_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()
    ServiceManager({"NOTIFY_SOCKET": f"/{'x' * 200}"}).stopping()
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot notify {tmp_path / 'gone'}: No such file or directory",
        f"cannot notify /{'x' * 200}: AF_UNIX path too long",
    ]

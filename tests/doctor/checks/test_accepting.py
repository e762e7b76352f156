"""Services that accept nothing, and queues that are full though they accept."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.doctor.checks.accepting import NOT_ACCEPTING, QUEUE_FILLING, QUEUE_FULL, UNIX_QUEUE_FULL
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from testbed.waiting import until
from tests.doctor import services
from tests.doctor.watching import findings
from tests.integration import listening_sockets

_PORT = 8080
# The wait of the oldest connection is read every second.
_SECONDS = 3.0


def long_watch() -> dict[str, Finding]:
    return findings(seconds=_SECONDS)


def connect(stack: ExitStack, port: int, number: int) -> None:
    for _ in range(number):
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5.0))


@pytest.mark.netns
def test_a_service_that_accepts_nothing_is_certain_by_its_oldest_connection() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=63) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 64):
            stack.enter_context(client)
        found = until(long_watch, lambda each: NOT_ACCEPTING in each)
    finding = found[NOT_ACCEPTING]
    assert (finding.severity, finding.certainty) == (FindingSeverity.CRITICAL, Certainty.CERTAIN)
    assert finding.listener is not None
    assert finding.listener.port == str(_PORT)
    assert re.match(r"nothing was accepted in [23]\.\d s: the oldest connection", finding.evidence[0])
    # A larger queue would be full as well.
    assert not found.keys() & {QUEUE_FULL, "backlog-small", "backlog-capped"}


@pytest.mark.netns
def test_a_queue_that_is_not_full_is_stuck_as_well() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=64) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 2):
            stack.enter_context(client)
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
    # In the time that it was watched a service that is as slow as these waits tell might have accepted none.
    assert finding.certainty is Certainty.LIKELY
    assert re.search(
        r"one connection in \d+\.\d s would look the same; --for=\d+s tells$", finding.evidence[1]
    )


@pytest.mark.netns
def test_one_accepted_connection_whose_place_is_taken_at_once_shows_that_it_accepts() -> None:
    """All came at once, so that the next one has waited as long, and no sample finds the queue shorter."""
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=16) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 17):
            stack.enter_context(client)
        time.sleep(2.1)

        def accept_one() -> None:
            stack.enter_context(listening_sockets.accept(listener, 1)[0])
            connect(stack, _PORT, 1)

        assert NOT_ACCEPTING not in findings(accept_one, seconds=1.0, interval=4.0)
        assert NOT_ACCEPTING in until(lambda: findings(seconds=1.0), lambda each: NOT_ACCEPTING in each)


@pytest.mark.netns
def test_a_service_that_accepts_slowly_is_not_stuck() -> None:
    """Its queue is never empty, and its clients came at once, so that the age of the oldest grows."""
    with services.slow(_PORT, 64, 0.2), ExitStack() as stack:
        connect(stack, _PORT, 40)
        time.sleep(2.5)
        assert NOT_ACCEPTING not in long_watch()


@pytest.mark.netns
def test_one_socket_of_several_that_accepts_nothing_is_not_the_whole_service() -> None:
    with ExitStack() as stack:
        hung, served = (
            stack.enter_context(listening_sockets.tcp("127.0.0.1", _PORT, 64, reuse_port=True))
            for _ in range(2)
        )
        served.settimeout(0.2)
        waiting = 0
        while not waiting:
            connect(stack, _PORT, 1)
            try:
                stack.enter_context(served.accept()[0])
            except TimeoutError:
                waiting += 1
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
        assert ": one of its 2 sockets accepts no connection" in finding.title
        assert finding.evidence[0].startswith("the oldest connection was not accepted in ")
        del hung


@pytest.mark.netns
def test_a_process_that_was_stopped_is_named_with_the_command_that_continues_it() -> None:
    with services.slow(_PORT, 3, 0.01) as service, ExitStack() as stack:
        service.send_signal(signal.SIGSTOP)
        connect(stack, _PORT, 4)
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
        name = Path(f"/proc/{service.pid}/comm").read_text().strip()
    assert finding.evidence[-1] == f"process {service.pid} ({name}) is stopped"
    assert finding.change == f"continue it: kill -CONT {service.pid}"
    assert finding.certainty is Certainty.CERTAIN


@pytest.mark.netns
@pytest.mark.parametrize("number", [2, 5])
def test_every_worker_that_was_stopped_is_named(number: int) -> None:
    """Each has a socket of its own, and the master of all holds them too."""
    with services.workers(_PORT, number) as workers, ExitStack() as stack:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        # The kernel chooses a socket for each; one that got none is stopped as well.
        for _ in range(4 * number):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(("127.0.0.1", _PORT))
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
        named = [each for each in finding.evidence if each.endswith(" is stopped")]
        pids = sorted(workers)
    assert [int(each.split()[1]) for each in named] == pids[:3]
    assert finding.change == f"continue them: kill -CONT {' '.join(map(str, pids))}"
    assert (finding.evidence[-1] == "so it is with 2 more processes of it") is (number == 5)


@pytest.mark.netns
def test_a_process_without_a_free_file_descriptor_is_told_so() -> None:
    if not Path("/proc/self/fd").stat().st_size:
        pytest.skip("before Linux 6.2 the number of open files is not told")
    with services.out_of_files(_PORT) as service, ExitStack() as stack:
        connect(stack, _PORT, 4)
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
    assert f"process {service.pid} " in finding.evidence[-1]
    assert finding.evidence[-1].endswith("has 32 files open and may open 32")
    assert "LimitNOFILE=" in finding.change


@pytest.mark.netns
def test_a_process_that_waits_for_a_disk_is_told_so() -> None:
    with services.blocked(_PORT) as service, ExitStack() as stack:
        connect(stack, _PORT, 4)
        finding = until(long_watch, lambda each: NOT_ACCEPTING in each)[NOT_ACCEPTING]
        name = Path(f"/proc/{service.pid}/comm").read_text().strip()
    assert f"process {service.pid} ({name}) waits for a disk or a file server" in finding.evidence
    assert finding.change == f"find out what it waits for: cat /proc/{service.pid}/stack"


@pytest.mark.netns
def test_a_full_queue_of_a_service_that_accepts_is_full_and_not_stuck() -> None:
    with services.slow(_PORT, 3, 0.3), ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(("127.0.0.1", _PORT))
        found = until(long_watch, lambda each: QUEUE_FULL in each)
    assert NOT_ACCEPTING not in found
    assert found[QUEUE_FULL].certainty is Certainty.CERTAIN


@pytest.mark.netns
@pytest.mark.parametrize(
    ("waiting", "severity"), [(1, None), (4, None), (5, FindingSeverity.NOTE), (9, FindingSeverity.WARNING)]
)
def test_a_queue_that_stays_half_full_is_filling(waiting: int, severity: FindingSeverity | None) -> None:
    """It holds 10."""
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=9) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, waiting):
            stack.enter_context(client)
        if severity is not None:
            # The kernel may put a connection into the queue after the client is connected.
            until(findings, lambda each: QUEUE_FILLING in each and each[QUEUE_FILLING].severity is severity)
        found = findings()
    assert QUEUE_FULL not in found
    assert (QUEUE_FILLING in found) is (severity is not None)


@pytest.mark.netns
def test_one_client_at_the_smallest_queue_is_nothing() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=1) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 1):
            stack.enter_context(client)
        assert not findings().keys() & {QUEUE_FILLING, QUEUE_FULL}


def full_unix(stack: ExitStack, path: str) -> None:
    for _ in range(4):
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(path)


@pytest.mark.netns
def test_a_unix_queue_that_stays_exactly_full_may_be_stuck(tmp_path: Path) -> None:
    """This process listens, and runs meanwhile: it might accept, and other clients take the place."""
    path = str(tmp_path / "app.sock")
    with listening_sockets.unix(path, backlog=3), ExitStack() as stack:
        full_unix(stack, path)
        found = until(lambda: findings(seconds=6.0), lambda each: NOT_ACCEPTING in each)
    finding = found[NOT_ACCEPTING]
    assert (finding.severity, finding.certainty) == (FindingSeverity.CRITICAL, Certainty.POSSIBLE)
    assert "may accept no connection" in finding.title
    assert "the queue stayed exactly full, in each of " in finding.evidence[0]
    assert not found.keys() & {UNIX_QUEUE_FULL, "backlog-small", "backlog-capped"}


@pytest.mark.netns
def test_a_unix_queue_that_stays_full_while_its_process_does_not_run_is_likely_stuck(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with services.hung_unix(path) as service, ExitStack() as stack:
        full_unix(stack, path)
        found = until(long_watch, lambda each: NOT_ACCEPTING in each)
    finding = found[NOT_ACCEPTING]
    assert finding.certainty is Certainty.LIKELY
    assert finding.evidence[-1] == "its processes used no processor time in this watch"
    assert finding.change.endswith(f" -p {service.pid}")
    assert not found.keys() & {UNIX_QUEUE_FULL, "backlog-small", "backlog-capped"}


@pytest.mark.netns
def test_a_full_unix_queue_from_which_one_was_accepted_is_not_stuck(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with listening_sockets.unix(path, backlog=3) as listener, ExitStack() as stack:
        full_unix(stack, path)

        def accept_one() -> None:
            stack.enter_context(listening_sockets.accept(listener, 1)[0])

        found = findings(accept_one, seconds=6.0)
    assert NOT_ACCEPTING not in found
    assert UNIX_QUEUE_FULL in found


@pytest.mark.netns
def test_a_full_queue_of_a_unix_socket_is_critical_though_nothing_counts_it(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with listening_sockets.unix(path, backlog=2) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 2):
            stack.enter_context(client)
        assert UNIX_QUEUE_FULL not in findings()
        for client in listening_sockets.clients(listener, 1):
            stack.enter_context(client)
        finding = findings()[UNIX_QUEUE_FULL]
    assert (finding.severity, finding.certainty) == (FindingSeverity.CRITICAL, Certainty.CERTAIN)
    assert finding.listener is not None
    assert finding.listener.address == path
    assert "3 connections waited at most, of 3 that it holds" in finding.evidence[0]

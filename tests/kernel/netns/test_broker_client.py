"""Asking the broker, with a test at the other end of the line."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from exporter.broker import wire
from exporter.broker.wire import BROKER_ENDED, BrokerReply, BrokerRequest, NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient, BrokerLostError, OpenedDescriptors
from tests.broker.namespaced_process import descriptors

Answer = Callable[[BrokerRequest], Sequence[tuple[BrokerReply, int]]]


class Line:
    """A broker whose answers a test makes up: replies, each with a number of descriptors."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs.settimeout(5)
        self.broker = BrokerClient(ours)
        self.requests: list[BrokerRequest] = []

    def say(self, reply: BrokerReply, attached: int = 0) -> None:
        """Send a reply with so many descriptors."""
        null = os.open("/dev/null", os.O_RDONLY)
        socket.send_fds(self.theirs, [wire.pack_reply(reply)], [null] * attached)
        os.close(null)

    def hear(self) -> BrokerRequest:
        """Take the next request."""
        self.requests.append(wire.unpack_request(self.theirs.recv(wire.MAX_MESSAGE_BYTES)))
        return self.requests[-1]

    def answering(self, answer: Answer, requests: int = 1) -> threading.Thread:
        """Answer so many requests in a thread."""

        def work() -> None:
            for _ in range(requests):
                for reply, attached in answer(self.hear()):
                    self.say(reply, attached)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.broker.close()
    line.theirs.close()


def opened(request: BrokerRequest, files: int = 0) -> tuple[BrokerReply, int]:
    return BrokerReply(request.number, opened=files, processor_ns=2_000_000), 1 + files.bit_count()


def closing_all(found: Sequence[OpenedDescriptors | OSError]) -> None:
    for each in found:
        assert isinstance(each, OpenedDescriptors)
        each.close()


def test_what_was_opened_comes_with_its_names_and_what_it_cost(line: Line) -> None:
    line.answering(lambda request: [opened(request, 0b100010)])
    (found,) = line.broker.enter([NamespaceTarget(pid=7, files=0b100010)])
    assert isinstance(found, OpenedDescriptors)
    assert list(found.files) == ["net/netstat", "sys/net/core/somaxconn"]
    assert found.seconds == 0.002
    assert all(os.get_inheritable(number) is False for number in (found.diag, *found.files.values()))
    found.close()
    found.close()
    assert line.requests[0].targets == (NamespaceTarget(pid=7, files=0b100010),)


def test_why_nothing_was_opened_is_told_in_its_place(line: Line) -> None:
    line.answering(
        lambda request: [opened(request), (BrokerReply(request.number, errno.ESRCH), 0), opened(request)]
    )
    first, second, third = line.broker.enter([NamespaceTarget(pid=pid) for pid in (1, 2, 3)])
    closing_all([first, third])
    assert isinstance(second, OSError)
    assert second.errno == errno.ESRCH


def test_another_question_in_the_middle_of_a_visit_takes_nothing_away_from_it(line: Line) -> None:
    """A visit may need a file that nobody thought of before."""
    thread = line.answering(lambda request: [opened(request) for _ in request.targets], 2)
    attach_all = line.broker.enter([NamespaceTarget(pid=1), NamespaceTarget(pid=2)])
    first = next(attach_all)
    between = list(line.broker.enter([NamespaceTarget(pid=1)]))
    rest = list(attach_all)
    thread.join()
    assert len(rest) == 1
    closing_all([first, *between, *rest])


def test_who_gives_up_half_way_leaves_nothing_open(line: Line) -> None:
    before = descriptors()
    thread = line.answering(lambda request: [opened(request, 0b11) for _ in request.targets])
    attach_all = line.broker.enter([NamespaceTarget(pid=pid) for pid in range(1, 9)])
    closing_all([next(attach_all)])
    del attach_all
    thread.join()
    assert descriptors() == before


def test_a_reply_to_an_earlier_question_is_dropped_with_what_came_along(line: Line) -> None:
    before = descriptors()
    thread = line.answering(lambda request: [(BrokerReply(request.number + 9, payload=b"old"), 3)])
    with pytest.raises(BrokerLostError, match="does not answer"):
        line.broker.pids()
    thread.join()
    # One reply comes before the question, one after it.
    line.say(BrokerReply(1, payload=b"older"), 2)
    thread = line.answering(
        lambda request: [
            (BrokerReply(1, payload=b"old"), 2),
            (BrokerReply(request.number, payload=bytes(4) + b"\7\0\0\0"), 0),
        ]
    )
    assert line.broker.pids() == [7]
    thread.join()
    assert descriptors() == before
    assert line.broker.ended == 0


def test_a_broker_that_ends_while_it_is_asked_is_lost_and_counted(line: Line) -> None:
    before = descriptors()
    thread = line.answering(lambda request: [opened(request), (BrokerReply(BROKER_ENDED), 0)])
    with pytest.raises(BrokerLostError, match="ended"):
        list(line.broker.enter([NamespaceTarget(pid=1), NamespaceTarget(pid=2)]))
    thread.join()
    assert line.broker.ended == 1
    assert descriptors() == before


def test_a_broker_that_ended_before_is_counted_and_the_next_one_answers(line: Line) -> None:
    line.say(BrokerReply(BROKER_ENDED))
    line.answering(lambda request: [(BrokerReply(request.number, payload=bytes(4)), 0)])
    assert line.broker.pids() == []
    assert line.broker.ended == 1


@pytest.mark.parametrize("nonsense", [b"x", bytes(17)])
def test_nonsense_is_a_lost_broker(line: Line, nonsense: bytes) -> None:
    line.theirs.send(nonsense)
    with pytest.raises(BrokerLostError, match="nonsense"):
        line.broker.pids()


def test_a_line_without_another_end_is_a_lost_broker(line: Line) -> None:
    line.theirs.close()
    for _ in range(3):
        with pytest.raises(BrokerLostError, match="gone"):
            line.broker.pids()


def test_a_line_that_breaks_with_the_question_unread_is_a_lost_broker(line: Line) -> None:
    """Where both processes were killed, the kernel says that the connection was reset."""

    def wait_and_close() -> None:
        line.theirs.recv(1, socket.MSG_PEEK)
        line.theirs.close()

    thread = threading.Thread(target=wait_and_close)
    thread.start()
    with pytest.raises(BrokerLostError, match="gone"):
        line.broker.pids()
    thread.join()
    with pytest.raises(BrokerLostError, match="gone"):
        line.broker.pids()


def test_portions_are_put_together_until_nothing_is_left(line: Line) -> None:
    following = {0: 5, 5: 9, 9: 0}

    def answer(request: BrokerRequest) -> list[tuple[BrokerReply, int]]:
        payload = following[request.start].to_bytes(4, "little") + request.start.to_bytes(4, "little")
        return [(BrokerReply(request.number, payload=payload), 0)]

    line.answering(answer, 3)
    assert line.broker.pids() == [0, 5, 9]


def test_an_error_in_a_portion_is_raised(line: Line) -> None:
    line.answering(lambda request: [(BrokerReply(request.number, errno.EACCES), 0)], 4)
    for ask in (
        line.broker.pids,
        line.broker.namespaces,
        lambda: list(line.broker.sockets(7)),
        lambda: line.broker.open_of_process(7, "stat"),
    ):
        with pytest.raises(PermissionError):
            ask()
    assert [request.pid for request in line.requests] == [0, 0, 7, 7]


def test_a_broker_that_is_silent_is_not_waited_for_again_until_it_says_something(line: Line) -> None:
    with pytest.raises(BrokerLostError, match="does not answer"):
        line.broker.pids()
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(BrokerLostError, match="does not answer"):
            line.broker.pids()
    assert time.monotonic() - started < 0.5
    line.say(BrokerReply(line.hear().number, payload=bytes(4)))
    for _ in range(2):
        thread = line.answering(lambda request: [(BrokerReply(request.number, payload=bytes(4)), 0)])
        assert line.broker.pids() == []
        thread.join()
    assert len(line.requests) == 3


def test_a_broker_that_stays_silent_is_asked_again_after_a_while(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.kernel.netns.broker_client._SILENCE_SECONDS", 0.2)
    with pytest.raises(BrokerLostError, match="does not answer"):
        line.broker.pids()
    line.hear()
    with pytest.raises(BrokerLostError, match="does not answer"):
        line.broker.pids()
    time.sleep(0.2)
    line.answering(lambda request: [(BrokerReply(request.number, payload=bytes(4)), 0)])
    assert line.broker.pids() == []


def test_numbers_of_questions_go_round_and_never_are_that_of_the_news(line: Line) -> None:
    line.broker._number = 2**32 - 2  # noqa: SLF001  (four billion questions later)
    line.answering(lambda request: [(BrokerReply(request.number, payload=bytes(4)), 0)], 3)
    for _ in range(3):
        line.broker.pids()
    assert [request.number for request in line.requests] == [2**32 - 1, 1, 2]

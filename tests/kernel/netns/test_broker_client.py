"""Asking the broker, with a test at the other end of the socket."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from exporter.broker import wire
from exporter.broker.wire import BROKER_ENDED, BrokerReply, BrokerRequest, NamespaceTarget, Portion
from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.opened import OpenedDescriptors
from tests.broker.namespaced_process import descriptors

Answer = Callable[[BrokerRequest], Sequence[tuple[BrokerReply, int]]]
TIMEOUT_SECONDS = 0.3
SILENCE_SECONDS = 10.0
FILES = ("net/netstat", "sys/net/core/somaxconn")


class FakeBroker:
    """The broker's end of the socket: replies as a test sends them, each with a number of descriptors."""

    def __init__(self) -> None:
        ours, self.channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(5)
        self.now = 1000.0
        self.client = BrokerClient(ours, timeout_seconds=TIMEOUT_SECONDS, clock=lambda: self.now)
        self.requests: list[BrokerRequest] = []
        # It stays open, since tests count what is open while `answering` may still be at work.
        self._null = os.open("/dev/null", os.O_RDONLY)

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.channel.close()
        os.close(self._null)

    def send(self, reply: BrokerReply, attached: int = 0) -> None:
        """Send a reply with so many descriptors."""
        socket.send_fds(self.channel, [wire.pack_reply(reply)], [self._null] * attached)

    def receive(self) -> BrokerRequest:
        """Receive the next request."""
        self.requests.append(wire.unpack_request(self.channel.recv(wire.MAX_MESSAGE_BYTES)))
        return self.requests[-1]

    def answering(self, answer: Answer, requests: int = 1) -> threading.Thread:
        """Answer so many requests in a thread."""

        def work() -> None:
            for _ in range(requests):
                for reply, attached in answer(self.receive()):
                    self.send(reply, attached)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    made = FakeBroker()
    yield made
    made.close()


def opened(
    request: BrokerRequest, files: Sequence[str] = (), processor_ns: int = 2_000_000
) -> tuple[BrokerReply, int]:
    # A process that was entered has a pidfd.
    reply = BrokerReply(request.number, opened=files, processor_ns=processor_ns, pidfd=True)
    return reply, 2 + len(files)


def portion(request: BrokerRequest, *numbers: int, following: int = 0) -> list[tuple[BrokerReply, int]]:
    return [(BrokerReply(request.number, portion=Portion(numbers, following)), 0)]


def close_all(found: Sequence[OpenedDescriptors | OSError]) -> None:
    for each in found:
        assert isinstance(each, OpenedDescriptors)
        each.close()


def test_what_was_opened_comes_with_its_names_and_its_cost(broker: FakeBroker) -> None:
    broker.answering(lambda request: [opened(request, FILES)])
    before = descriptors()
    (found,) = broker.client.enter([NamespaceTarget(pid=7, files=FILES)])
    assert isinstance(found, OpenedDescriptors)
    assert found.seconds == 0.002
    assert broker.client.seconds() == 0.002
    released = found.release()
    assert list(released.files) == list(FILES)
    assert released.pidfd is not None
    numbers = (released.diag, released.pidfd, *released.files.values())
    assert not any(os.get_inheritable(number) for number in numbers)
    for number in numbers:
        os.close(number)
    # What was released is not closed again.
    found.close()
    assert descriptors() == before
    assert broker.requests[0].targets == (NamespaceTarget(pid=7, files=FILES),)


@pytest.mark.parametrize("target", [NamespaceTarget(name=b"web"), NamespaceTarget(pid=7)])
def test_where_the_broker_has_no_pidfd_there_is_none(broker: FakeBroker, target: NamespaceTarget) -> None:
    """A name has none, and a process on an old kernel."""
    broker.answering(lambda request: [(BrokerReply(request.number, opened=FILES), 1 + len(FILES))])
    (found,) = broker.client.enter([replace(target, files=FILES)])
    assert isinstance(found, OpenedDescriptors)
    released = found.release()
    assert released.pidfd is None
    for number in (released.diag, *released.files.values()):
        os.close(number)


def test_processor_time_is_that_of_all_brokers(broker: FakeBroker) -> None:
    """A broker tells how much it has used since it started."""
    used = iter((1_000_000_000, 1_500_000_000))
    broker.answering(lambda request: [opened(request, processor_ns=next(used)) for _ in request.targets], 1)
    close_all(found := list(broker.client.enter([NamespaceTarget(pid=1), NamespaceTarget(pid=2)])))
    assert [each.seconds for each in found if isinstance(each, OpenedDescriptors)] == [1.0, 0.5]
    broker.send(BrokerReply(BROKER_ENDED))
    broker.answering(lambda request: [opened(request, processor_ns=250_000_000)])
    close_all(list(broker.client.enter([NamespaceTarget(pid=1)])))
    assert broker.client.seconds() == 1.75


def test_an_error_comes_in_the_place_of_its_namespace(broker: FakeBroker) -> None:
    broker.answering(
        lambda request: [opened(request), (BrokerReply(request.number, errno.ESRCH), 0), opened(request)]
    )
    first, second, third = broker.client.enter([NamespaceTarget(pid=pid) for pid in (1, 2, 3)])
    close_all([first, third])
    assert isinstance(second, OSError)
    assert second.errno == errno.ESRCH


def test_another_request_in_between_does_not_disturb_the_replies(broker: FakeBroker) -> None:
    thread = broker.answering(lambda request: [opened(request) for _ in request.targets], 2)
    entered = broker.client.enter([NamespaceTarget(pid=1), NamespaceTarget(pid=2)])
    first = next(entered)
    between = list(broker.client.enter([NamespaceTarget(pid=1)]))
    rest = list(entered)
    thread.join()
    assert len(rest) == 1
    close_all([first, *between, *rest])


def test_replies_that_are_not_taken_are_closed(broker: FakeBroker) -> None:
    before = descriptors()
    thread = broker.answering(lambda request: [opened(request, FILES) for _ in request.targets])
    entered = broker.client.enter([NamespaceTarget(pid=pid) for pid in range(1, 9)])
    close_all([next(entered)])
    del entered
    thread.join()
    assert descriptors() == before


def test_a_reply_to_an_earlier_request_is_dropped_with_its_descriptors(broker: FakeBroker) -> None:
    before = descriptors()
    thread = broker.answering(lambda request: [(BrokerReply(request.number + 9), 3)])
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        broker.client.pids()
    thread.join()
    # One reply comes before the request, one after it.
    broker.send(BrokerReply(1), 2)
    thread = broker.answering(lambda request: [(BrokerReply(1), 2), *portion(request, 7)])
    assert broker.client.pids() == [7]
    thread.join()
    assert descriptors() == before
    assert broker.client.ended == 0


def test_a_broker_that_ends_before_it_has_answered_is_lost_and_counted(broker: FakeBroker) -> None:
    before = descriptors()
    thread = broker.answering(lambda request: [opened(request), (BrokerReply(BROKER_ENDED), 0)])
    with pytest.raises(BrokerUnavailableError, match="cannot enter network namespaces: the broker ended"):
        list(broker.client.enter([NamespaceTarget(pid=1), NamespaceTarget(pid=2)]))
    thread.join()
    assert broker.client.ended == 1
    assert descriptors() == before


def test_a_broker_that_ended_before_is_counted_and_the_next_one_answers(broker: FakeBroker) -> None:
    broker.send(BrokerReply(BROKER_ENDED))
    broker.answering(portion)
    assert broker.client.pids() == []
    assert broker.client.ended == 1


@pytest.mark.parametrize("message", [b"x", bytes(17), bytes(19) + b"xyz"])
def test_a_malformed_message_is_a_lost_broker(broker: FakeBroker, message: bytes) -> None:
    broker.channel.send(message)
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.client.pids()


def test_a_socket_without_another_end_is_a_lost_broker(broker: FakeBroker) -> None:
    broker.channel.close()
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="gone"):
            broker.client.pids()


def test_a_socket_that_is_closed_with_the_request_unread_is_a_lost_broker(broker: FakeBroker) -> None:
    """Where broker and supervisor were killed, the system call fails with ECONNRESET."""

    def wait_and_close() -> None:
        broker.channel.recv(1, socket.MSG_PEEK)
        broker.channel.close()

    thread = threading.Thread(target=wait_and_close)
    thread.start()
    with pytest.raises(BrokerUnavailableError, match="gone"):
        broker.client.pids()
    thread.join()
    with pytest.raises(BrokerUnavailableError, match="gone"):
        broker.client.pids()


def test_portions_are_put_together(broker: FakeBroker) -> None:
    following = {0: 5, 5: 9, 9: 0}
    broker.answering(lambda request: portion(request, request.start, following=following[request.start]), 3)
    assert broker.client.pids() == [0, 5, 9]


def test_a_list_that_begins_again_is_malformed(broker: FakeBroker) -> None:
    """Otherwise it would never end."""
    following = {0: 5, 5: 5}
    broker.answering(lambda request: portion(request, 1, following=following[request.start]), 2)
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.client.pids()


def test_a_process_without_its_namespace_is_malformed(broker: FakeBroker) -> None:
    broker.answering(lambda request: portion(request, 7))
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.client.namespaces([7])


def test_namespaces_of_many_processes_are_asked_for_in_several_requests(broker: FakeBroker) -> None:
    pids = range(1, wire.MAX_PER_REPLY + 2)

    def answer(request: BrokerRequest) -> list[tuple[BrokerReply, int]]:
        return portion(request, *(number for pid in request.pids[-2:] for number in (pid, 4026531840)))

    broker.answering(answer, 2)
    expected = dict.fromkeys((wire.MAX_PER_REPLY - 1, wire.MAX_PER_REPLY, pids[-1]), 4026531840)
    assert broker.client.namespaces(pids) == expected
    assert [len(request.pids) for request in broker.requests] == [wire.MAX_PER_REPLY, 1]


def test_an_error_of_a_portion_is_raised(broker: FakeBroker) -> None:
    broker.answering(lambda request: [(BrokerReply(request.number, errno.EACCES), 0)], 5)
    calls: list[Callable[[], object]] = [
        broker.client.pids,
        lambda: broker.client.namespaces([7]),
        lambda: list(broker.client.sockets(7)),
        lambda: broker.client.open_of_process(7, "stat"),
        lambda: broker.client.link_of_process(7, "exe"),
    ]
    for call in calls:
        with pytest.raises(PermissionError):
            call()
    assert [request.pid for request in broker.requests] == [0, 0, 7, 7, 7]


def test_a_file_that_the_broker_does_not_open_is_not_asked_for(broker: FakeBroker) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        broker.client.open_of_process(7, "environ")
    with pytest.raises(ValueError, match="not in tuple"):
        broker.client.link_of_process(7, "fd/0")
    with pytest.raises(ValueError, match="not in tuple"):
        list(broker.client.enter([NamespaceTarget(pid=7, files=("net/raw",))]))


def test_a_broker_that_does_not_answer_is_not_asked_again_before_it_sends_something(
    broker: FakeBroker,
) -> None:
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="does not answer"):
            broker.client.pids()
        broker.now += SILENCE_SECONDS / 3 - 0.1
    broker.send(BrokerReply(broker.receive().number, portion=Portion(())))
    for _ in range(2):
        thread = broker.answering(portion)
        assert broker.client.pids() == []
        thread.join()
    assert len(broker.requests) == 3


def test_a_broker_that_stays_silent_is_asked_again_after_some_seconds(broker: FakeBroker) -> None:
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        broker.client.pids()
    broker.receive()
    broker.now += SILENCE_SECONDS - 0.1
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        broker.client.pids()
    broker.now += 0.1
    broker.answering(portion)
    assert broker.client.pids() == []


def test_each_request_has_a_number_of_its_own(broker: FakeBroker) -> None:
    broker.answering(portion, 3)
    for _ in range(3):
        broker.client.pids()
    assert [request.number for request in broker.requests] == [1, 2, 3]


@pytest.mark.parametrize(("attached", "pidfd"), [(0, True), (1, True), (3, True), (0, False), (2, False)])
def test_descriptors_that_the_kernel_dropped_are_an_error(
    broker: FakeBroker,
    attached: int,
    pidfd: bool,  # noqa: FBT001
) -> None:
    """A process without a free descriptor gets the message, and fewer descriptors than were sent."""
    before = descriptors()
    broker.answering(lambda request: [(BrokerReply(request.number, opened=FILES, pidfd=pidfd), attached)])
    (found,) = broker.client.enter([NamespaceTarget(pid=7, files=FILES)])
    assert isinstance(found, OSError)
    assert found.errno == errno.EMFILE
    assert descriptors() == before

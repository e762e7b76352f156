"""Asking the file broker, with a test at the other end of the socket."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from exporter.broker import file_wire
from exporter.broker.file_wire import MAX_SOCKETS, FileReply, FileRequest
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.broker.wire import BROKER_ENDED
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError, KernelError
from exporter.kernel.processes.file_broker import FileBrokerClient

BOUND = BoundSocket(b"/run/x.sock", 1, 2)
HELD = HeldSocket(7, 5, BOUND)
SAME = SocketFile(SocketFileState.SAME, b"/run/x.sock")
SILENCE_SECONDS = 10.0
ENDED = FileReply(BROKER_ENDED)
HUNG = FileReply(BROKER_ENDED, errno.ETIMEDOUT)


class FakeFileBroker:
    """The broker's end of the socket: replies as a test sends them."""

    def __init__(self) -> None:
        ours, self.channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(5)
        self.now = 1000.0
        self.client = FileBrokerClient(ours, timeout_seconds=0.3, clock=lambda: self.now)
        self.requests: list[FileRequest] = []

    def send(self, *replies: FileReply) -> None:
        for reply in replies:
            self.channel.send(file_wire.pack_reply(reply))

    def receive(self) -> FileRequest:
        self.requests.append(file_wire.unpack_request(self.channel.recv(65536)))
        return self.requests[-1]

    def answering(self, *answers: Callable[[int], FileReply]) -> threading.Thread:
        """Answer the next request, in a thread, with these replies to its number."""

        def answer() -> None:
            number = self.receive().number
            self.send(*(reply(number) for reply in answers))

        thread = threading.Thread(target=answer)
        thread.start()
        return thread

    def find(self) -> SocketFile:
        """Look for one socket; an error is raised."""
        (answer,) = self.client.find_sockets([HELD])
        if isinstance(answer, KernelError):
            raise answer
        return answer


@pytest.fixture
def broker() -> Iterator[FakeFileBroker]:
    """A file broker that answers as the test says."""
    made = FakeFileBroker()
    yield made
    made.client.close()
    made.channel.close()


def found(number: int) -> FileReply:
    return FileReply(number, found=(SAME,))


def some(*files: SocketFile, more: bool = False) -> Callable[[int], FileReply]:
    return lambda number: FileReply(number, found=files, more=more)


def part(content: bytes, *, more: bool = False, seconds: float = 0) -> Callable[[int], FileReply]:
    return lambda number: FileReply(number, 0, int(seconds * 1e9), FileContent(content, 3, 4), more)


def test_a_request_and_its_reply(broker: FakeFileBroker) -> None:
    broker.answering(found)
    assert broker.find() == SAME
    broker.answering(part(b"a\0"))
    assert broker.client.read(8, 6, ProcessFile.CMDLINE) == FileContent(b"a\0", 3, 4)
    assert broker.requests == [FileRequest(1, 0, 0, (HELD,)), FileRequest(2, 8, 6, ProcessFile.CMDLINE)]


def test_a_file_is_put_together(broker: FakeFileBroker) -> None:
    broker.answering(part(b"a", more=True), part(b"b", more=True), part(b"c"))
    assert broker.client.read(8, 6, ProcessFile.PASSWD) == FileContent(b"abc", 3, 4)


# Two sockets of one process, and two of another.
SEVERAL = [*[HELD] * 2, *[HeldSocket(8, 6, BOUND)] * 2]
STALE = SocketFile(SocketFileState.STALE, b"/run/y.sock")


def test_many_sockets_are_one_request_and_those_of_each_process_one_reply(broker: FakeFileBroker) -> None:
    broker.answering(some(SAME, STALE, more=True), some(STALE, SAME))
    assert broker.client.find_sockets(SEVERAL) == [SAME, STALE, STALE, SAME]
    assert broker.requests == [FileRequest(1, 0, 0, tuple(SEVERAL))]


def test_no_request_has_more_sockets_than_are_allowed(broker: FakeFileBroker) -> None:
    broker.answering(some(*[SAME] * MAX_SOCKETS))
    assert broker.client.find_sockets([HELD] * (MAX_SOCKETS + 1)) == [SAME] * MAX_SOCKETS


def test_what_the_broker_had_no_time_for_is_not_answered(broker: FakeFileBroker) -> None:
    broker.answering(some(SAME, STALE, more=True), some(STALE))
    assert broker.client.find_sockets(SEVERAL) == [SAME, STALE, STALE]


@pytest.mark.parametrize(("ended", "error"), [(HUNG, AccessHungError), (ENDED, BrokerUnavailableError)])
@pytest.mark.parametrize("answered", [0, 2])
def test_where_the_broker_ends_the_process_that_it_looked_at_has_no_answer(
    broker: FakeFileBroker, ended: FileReply, error: type[KernelError], answered: int
) -> None:
    """The sockets of the processes before have theirs, and those of others may be asked for again."""
    replies = [some(SAME, STALE, more=True)] * (answered == 2)
    broker.answering(*replies, lambda _: ended)
    found = broker.client.find_sockets(SEVERAL)
    assert found[:answered] == [SAME, STALE][:answered]
    assert [type(each) for each in found[answered:]] == [error] * 2
    assert f"of process {7 if answered == 0 else 8}" in str(found[answered])


def test_an_errno_in_the_place_of_sockets_is_of_the_process_that_is_next(broker: FakeFileBroker) -> None:
    broker.answering(lambda number: FileReply(number, errno.EMFILE))
    first, second = broker.client.find_sockets(SEVERAL)
    assert isinstance(first, KernelError)
    assert (first.errno, second) == (errno.EMFILE, first)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(some(), id="no socket"),
        pytest.param(some(*[SAME] * 5), id="too many"),
        pytest.param(some(*[SAME] * 4, more=True), id="more than there are"),
    ],
)
def test_another_number_of_sockets_than_was_asked_for_is_malformed(
    broker: FakeFileBroker, reply: Callable[[int], FileReply]
) -> None:
    broker.answering(reply)
    first, second = broker.client.find_sockets(SEVERAL)
    assert isinstance(first, BrokerUnavailableError)
    assert "malformed" in str(first)
    assert second == first


def test_replies_to_earlier_requests_are_dropped(broker: FakeFileBroker) -> None:
    broker.send(found(99))
    broker.answering(lambda number: found(number + 7), found)
    assert broker.find() == SAME


def test_an_error_of_the_broker_is_raised(broker: FakeFileBroker) -> None:
    broker.answering(lambda number: FileReply(number, errno.EFBIG))
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as failed:
        broker.client.read(8, 6, ProcessFile.PASSWD)
    assert failed.value.errno == errno.EFBIG


def test_a_broker_that_hung_is_told_from_one_that_ended(broker: FakeFileBroker) -> None:
    broker.answering(lambda _: HUNG)
    with pytest.raises(AccessHungError, match="cannot look for"):
        broker.find()
    broker.answering(part(b"a", more=True), lambda _: ENDED)
    with pytest.raises(BrokerUnavailableError, match="the file broker ended"):
        broker.client.read(8, 6, ProcessFile.PASSWD)
    assert (broker.client.ended, broker.client.hung) == (2, 1)


def test_a_broker_that_ended_before_is_counted_and_the_next_one_answers(broker: FakeFileBroker) -> None:
    broker.send(ENDED)
    broker.answering(found)
    assert broker.find() == SAME
    assert (broker.client.ended, broker.client.hung) == (1, 0)


def test_the_processor_time_of_all_brokers_is_added_up(broker: FakeFileBroker) -> None:
    for seconds in (1.0, 1.5):
        broker.answering(part(b"", seconds=seconds))
        broker.client.read(8, 6, ProcessFile.VIEW)
    assert broker.client.seconds() == 1.5
    broker.send(ENDED)
    broker.answering(part(b"", seconds=0.25))
    broker.client.read(8, 6, ProcessFile.VIEW)
    assert broker.client.seconds() == 1.75


def test_a_broker_that_is_silent_is_left_alone_for_some_seconds(broker: FakeFileBroker) -> None:
    for later in (0.0, SILENCE_SECONDS - 0.1):
        broker.now = 1000.0 + later
        with pytest.raises(BrokerUnavailableError, match="does not answer"):
            broker.find()
    broker.receive()
    broker.now = 1000.0 + SILENCE_SECONDS
    broker.answering(found)
    assert broker.find() == SAME
    assert len(broker.requests) == 2


def test_a_silent_broker_that_has_sent_something_is_asked_again(broker: FakeFileBroker) -> None:
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        broker.find()
    broker.send(found(broker.receive().number))
    for _ in range(2):
        broker.answering(found)
        assert broker.find() == SAME


@pytest.mark.parametrize("message", [b"x", bytes(18) + b"xyz"])
def test_a_malformed_message_is_a_lost_broker(broker: FakeFileBroker, message: bytes) -> None:
    broker.channel.send(message)
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.find()


def test_the_reply_to_another_kind_of_request_is_malformed(broker: FakeFileBroker) -> None:
    broker.answering(part(b"a"))
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.find()
    broker.answering(found)
    with pytest.raises(BrokerUnavailableError, match="malformed"):
        broker.client.read(8, 6, ProcessFile.VIEW)


def test_a_socket_without_another_end_is_a_lost_broker(broker: FakeFileBroker) -> None:
    broker.channel.close()
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="gone"):
            broker.find()


def test_a_socket_that_is_closed_with_the_request_unread_is_a_lost_broker(broker: FakeFileBroker) -> None:
    def wait_and_close() -> None:
        broker.channel.recv(1, socket.MSG_PEEK)
        broker.channel.close()

    thread = threading.Thread(target=wait_and_close)
    thread.start()
    with pytest.raises(BrokerUnavailableError, match="gone"):
        broker.find()
    thread.join()


def test_threads_ask_one_after_the_other(broker: FakeFileBroker) -> None:
    answers: list[SocketFile] = []
    threads = [threading.Thread(target=lambda: answers.append(broker.find())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in threads:
        request = broker.receive()
        broker.send(found(request.number))
    for thread in threads:
        thread.join()
    assert answers == [SAME] * 8
    assert [request.number for request in broker.requests] == list(range(1, 9))

"""The channel to a broker: what is not part of an answer is dropped, and how an error names the broker."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from exporter.broker import wire
from exporter.broker.wire import BROKER_ENDED, BrokerReply
from exporter.kernel.broker_channel import BrokerChannel
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError
from tests.broker.namespaced_process import descriptors


@dataclass
class Ends:
    """Both ends of a channel on which two descriptors may come with a reply."""

    channel: BrokerChannel[BrokerReply]
    broker: socket.socket

    def send(self, reply: BrokerReply, attached: int = 0) -> None:
        null = os.open("/dev/null", os.O_RDONLY)
        socket.send_fds(self.broker, [wire.pack_reply(reply)], [null] * attached)
        os.close(null)


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = BrokerChannel(ours, "test broker", wire.unpack_reply, 0.3, lambda: 1000.0, max_descriptors=2)
    yield Ends(channel, theirs)
    channel.close()
    theirs.close()


def ask(ends: Ends) -> int:
    return ends.channel.send("cannot ask", lambda number: b"%d" % number)


def fill(ends: Ends) -> None:
    """Ask until the broker takes no more."""
    for _ in range(100_000):
        ask(ends)


def test_a_request_is_made_of_its_number(ends: Ends) -> None:
    assert [ask(ends), ask(ends)] == [1, 2]
    assert [ends.broker.recv(9), ends.broker.recv(9)] == [b"1", b"2"]


def test_descriptors_come_with_the_reply_and_those_of_other_replies_are_closed(ends: Ends) -> None:
    before = descriptors()
    ends.send(BrokerReply(99), attached=2)
    number = ask(ends)
    ends.send(BrokerReply(98), attached=2)
    ends.send(BrokerReply(number), attached=1)
    reply, received = ends.channel.receive("cannot ask", number)
    assert reply == BrokerReply(number)
    assert descriptors() == before + len(received) == before + 1
    os.close(received[0])


def test_a_broker_that_takes_no_more_requests_is_left_alone_for_a_while() -> None:
    """One that stays stopped: requests that need no answer, or that are repeated, fill its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    now = [1000.0]
    channel = BrokerChannel(ours, "broker", wire.unpack_reply, 0.01, lambda: now[0])
    ends = Ends(channel, theirs)
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        fill(ends)
    theirs.recv(9)
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        ask(ends)
    now[0] += 10.0
    ask(ends)
    channel.close()
    theirs.close()


@pytest.mark.parametrize("expected", [0, 2])
def test_more_descriptors_than_are_expected_are_dropped(expected: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = BrokerChannel(ours, "broker", wire.unpack_reply, 0.3, lambda: 1000.0, max_descriptors=expected)
    before = descriptors()
    ends = Ends(channel, theirs)
    number = ask(ends)
    ends.send(BrokerReply(number), attached=4)
    _, received = channel.receive("cannot ask", number)
    assert descriptors() == before + len(received) == before + expected
    for descriptor in received:
        os.close(descriptor)
    channel.close()
    theirs.close()


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (0, BrokerUnavailableError, "cannot ask: the test broker ended"),
        (errno.ETIMEDOUT, AccessHungError, "cannot ask"),
    ],
)
def test_a_broker_that_ended_is_named(ends: Ends, number: int, error: type[Exception], message: str) -> None:
    asked = ask(ends)
    ends.send(BrokerReply(BROKER_ENDED, number))
    with pytest.raises(error, match=message):
        ends.channel.receive("cannot ask", asked)
    assert (ends.channel.ended, ends.channel.hung) == (1, number == errno.ETIMEDOUT)

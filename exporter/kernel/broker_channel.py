"""The channel to a broker: replies by the number of their request, and what brokers that ended have used."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from exporter.broker.wire import BROKER_ENDED, MAX_MESSAGE_BYTES, MalformedMessageError, next_number
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError

# How long a broker that did not answer is not asked again, unless it sends something.
_SILENCE_SECONDS: Final = 10.0
_TIMEVAL: Final = struct.Struct("@ll")
_DESCRIPTOR: Final = struct.Struct("=i")


class Reply(Protocol):
    """What every reply has: the number of its request, an errno, and the processor time that was used."""

    @property
    def number(self) -> int:
        """The number of the request, BROKER_ENDED where the message says that a broker has ended."""
        ...

    @property
    def errno(self) -> int:
        """0 where the request was carried out; ETIMEDOUT for a broker that ended because it had hung."""
        ...

    @property
    def processor_ns(self) -> int:
        """The processor time that the broker has used since it started, in nanoseconds."""
        ...


ReplyT = TypeVar("ReplyT", bound=Reply)


class BrokerChannel(Generic[ReplyT]):
    """Sends requests to a broker and receives the replies; for one thread at a time.

    `ended` counts brokers that ended, `hung` those of them that had hung. `what` is what a request is for, as
    an error says it. Methods raise BrokerUnavailableError where the broker is lost, and AccessHungError where
    it hung, and was killed.
    """

    def __init__(  # noqa: PLR0913  (each of the two clients gives all of them)
        self,
        channel: socket.socket,
        broker: str,
        unpack: Callable[[bytes], ReplyT],
        timeout_seconds: float,
        clock: Callable[[], float],
        *,
        max_descriptors: int = 0,
    ) -> None:
        """Take the socket, what errors call the broker, and what decodes a reply.

        A broker that sends nothing for `timeout_seconds` is given up. `clock` tells monotonic seconds. Of the
        descriptors that come with a reply, more than `max_descriptors` are dropped.
        """
        self.ended = 0
        self.hung = 0
        seconds = int(timeout_seconds)
        timeout = _TIMEVAL.pack(seconds, round((timeout_seconds - seconds) * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            channel.setsockopt(socket.SOL_SOCKET, option, timeout)
        self._channel = channel
        self._broker = broker
        self._unpack = unpack
        self._clock = clock
        self._ancillary_bytes = socket.CMSG_LEN(max_descriptors * _DESCRIPTOR.size) if max_descriptors else 0
        self._number = BROKER_ENDED
        # Until when a broker that did not answer is left alone.
        self._silent_until: float | None = None
        # Of the broker that runs, as its last reply says, and of those before it.
        self._processor_ns = 0
        self._ended_processor_ns = 0

    def seconds(self) -> float:
        """Return the processor time that brokers have used until the last reply."""
        return (self._ended_processor_ns + self._processor_ns) / 1e9

    def close(self) -> None:
        """Close the socket, which ends the broker."""
        self._channel.close()

    def send(self, what: str, pack: Callable[[int], bytes]) -> int:
        """Send the request that `pack` makes of its number, and return the number.

        A broker that did not answer is not asked again for some seconds, unless it has sent something since:
        who asks cannot wait for it each time.
        """
        received = self._discard_received(what)
        if not received and self._silent_until is not None and self._clock() < self._silent_until:
            raise self._unavailable(what, "does not answer")
        self._silent_until = None
        self._number = next_number(self._number)
        try:
            self._channel.send(pack(self._number))
        except BlockingIOError as error:
            # It has not taken those before.
            raise self._silent(what) from error
        except OSError as error:
            raise self._unavailable(what, "is gone") from error
        return self._number

    def receive(self, what: str, number: int) -> tuple[ReplyT, list[int]]:
        """Wait for a reply to a request; return it with its descriptors, for the caller to close."""
        while True:
            try:
                reply, descriptors = self._receive(what)
            except BlockingIOError as error:
                raise self._silent(what) from error
            if reply.number == number:
                return reply, descriptors
            close_all(descriptors)
            if reply.number == BROKER_ENDED:
                if reply.errno == errno.ETIMEDOUT:
                    raise AccessHungError(what)
                raise self._unavailable(what, "ended")

    def malformed(self, what: str, why: str) -> BrokerUnavailableError:
        """Return the error for a message that cannot be one."""
        return self._unavailable(what, f"sent a malformed message: {why}")

    def _discard_received(self, what: str) -> bool:
        """Drop late replies, and the message that a broker has ended; return whether there were any."""
        received = False
        while True:
            try:
                _, descriptors = self._receive(what, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return received
            close_all(descriptors)
            received = True

    def _receive(self, what: str, flags: int = 0) -> tuple[ReplyT, list[int]]:
        """Receive a message. Raises BlockingIOError or BrokerUnavailableError."""
        # socket.recv_fds() of Python 3.11 takes flags and ignores them.
        try:
            message, ancillary, _, _ = self._channel.recvmsg(
                MAX_MESSAGE_BYTES, self._ancillary_bytes, flags | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError as error:
            # ECONNRESET, where broker and supervisor ended with a request unread.
            raise self._unavailable(what, "is gone, and so is its supervisor") from error
        descriptors = [number for *_, data in ancillary for (number,) in _DESCRIPTOR.iter_unpack(data)]
        if not message:
            raise self._unavailable(what, "is gone, and so is its supervisor")
        try:
            reply = self._unpack(message)
        except MalformedMessageError as error:
            close_all(descriptors)
            raise self.malformed(what, str(error)) from error
        if reply.number == BROKER_ENDED:
            self.ended += 1
            self.hung += reply.errno == errno.ETIMEDOUT
            self._ended_processor_ns += self._processor_ns
        self._processor_ns = reply.processor_ns
        return reply, descriptors

    def _silent(self, what: str) -> BrokerUnavailableError:
        """Return the error for a broker that does not answer, which is left alone for some seconds now."""
        self._silent_until = self._clock() + _SILENCE_SECONDS
        return self._unavailable(what, "does not answer")

    def _unavailable(self, what: str, why: str) -> BrokerUnavailableError:
        return BrokerUnavailableError(what, f"the {self._broker} {why}")


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)

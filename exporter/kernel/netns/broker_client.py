"""Asking the broker, from the process without capabilities."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from exporter.broker import wire
from exporter.broker.capabilities import ENTER, SEE_SOCKETS, Capability
from exporter.broker.named_namespaces import NamedNamespace
from exporter.broker.wire import BrokerReply, BrokerRequest, NamespaceTarget, Portion, RequestType
from exporter.kernel.broker_channel import BrokerChannel
from exporter.kernel.netns.opened import NamespaceDescriptors, OpenedDescriptors, failure

# A broker that does not answer for this long is given up. A portion of descriptors takes it longest.
TIMEOUT_SECONDS: Final = 0.5

_ENTER: Final = "cannot enter network namespaces"
_NAMESPACES: Final = "cannot look for network namespaces"
_PIDS: Final = "cannot list the processes"

_Answer = tuple[BrokerReply, list[int]]


class BrokerClient:
    """Asks the broker; one thread uses it.

    `may_enter` tells whether the broker can enter namespaces, `may_see_sockets` whether it can see the
    sockets of other users' processes. `supervisor` is the process that starts it again, where that is known.
    Methods raise BrokerUnavailableError where the broker is lost, and
    OSError where a system call of it failed.
    """

    def __init__(
        self,
        channel: socket.socket,
        *,
        capabilities: Collection[Capability] = frozenset(Capability),
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        supervisor: int | None = None,
    ) -> None:
        """Take what `supervisor.start` was given and returned, and a clock in monotonic seconds."""
        self.may_enter = ENTER.issubset(capabilities)
        self.may_see_sockets = SEE_SOCKETS.issubset(capabilities)
        self.supervisor = supervisor
        self._channel = BrokerChannel(
            channel,
            "broker",
            wire.unpack_reply,
            timeout_seconds,
            clock,
            max_descriptors=wire.MAX_DESCRIPTORS,
        )

    @property
    def ended(self) -> int:
        """How many brokers have ended."""
        return self._channel.ended

    def seconds(self) -> float:
        """Return the processor time that brokers have used until the last reply."""
        return self._channel.seconds()

    def close(self) -> None:
        """Close the socket, which ends broker and supervisor."""
        self._channel.close()

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Enter each of at most MAX_TARGETS namespaces, and yield what was opened there, or why nothing was.

        Every reply has been read before the first is yielded, so other requests may be made meanwhile.
        The caller closes what is yielded; what is not yielded is closed here.
        """
        arrived: deque[OpenedDescriptors | OSError] = deque()
        try:
            number = self._send(_ENTER, BrokerRequest(0, RequestType.ENTER, tuple(targets)))
            arrived.extend(self._opened(number) for _ in targets)
            while arrived:
                yield arrived.popleft()
        finally:
            for left in arrived:
                if isinstance(left, OpenedDescriptors):
                    left.close()

    def namespaces(self, pids: Sequence[int]) -> dict[int, int]:
        """Return the inode of each process's network namespace; processes that have ended are left out."""
        found: dict[int, int] = {}
        for start in range(0, len(pids), wire.MAX_PER_REPLY):
            request = BrokerRequest(0, RequestType.NAMESPACES, pids=pids[start : start + wire.MAX_PER_REPLY])
            for numbers in self._portions(_NAMESPACES, request):
                if len(numbers) % 2:
                    raise self._channel.malformed(_NAMESPACES, "a process without a namespace")
                found.update(zip(numbers[::2], numbers[1::2], strict=True))
        return found

    def pids(self) -> list[int]:
        """Return every process there is."""
        request = BrokerRequest(0, RequestType.PIDS)
        return [pid for numbers in self._portions(_PIDS, request) for pid in numbers]

    def sockets(self, pid: int) -> Iterator[Sequence[int]]:
        """Yield the inodes of a process's sockets, in portions."""
        request = BrokerRequest(0, RequestType.SOCKETS, pid=pid)
        yield from self._portions(f"cannot read /proc/{pid}/fd", request)

    def open_of_process(self, pid: int, name: str) -> int:
        """Open one of PROCESS_FILES and return the descriptor, for the caller to close."""
        _, descriptors = self._ask_of_process(RequestType.FILE, pid, name, expected=1)
        return descriptors[0]

    def link_of_process(self, pid: int, name: str) -> bytes:
        """Return what one of PROCESS_LINKS says."""
        reply, _ = self._ask_of_process(RequestType.LINK, pid, name, expected=0)
        return reply.link or b""

    def names(self) -> list[NamedNamespace]:
        """Return the namespaces that have a name under /run/netns, in the order of their names."""
        found: list[NamedNamespace] = []
        request = BrokerRequest(0, RequestType.NAMES)
        while named := self._ask(_NAMESPACES, replace(request, start=len(found)))[0].names:
            found += named
        return found

    def set_watchdog(self, seconds: int) -> None:
        """Have this process killed where it does not ask anything for so many seconds, 0 for never."""
        self._send("cannot ask the broker", BrokerRequest(0, RequestType.SET_WATCHDOG, seconds=seconds))

    def _ask_of_process(self, kind: RequestType, pid: int, name: str, expected: int) -> _Answer:
        request = BrokerRequest(0, kind, pid=pid, file=name)
        return self._ask(f"cannot read /proc/{pid}/{name}", request, expected)

    def _ask(self, what: str, request: BrokerRequest, expected: int = 0) -> _Answer:
        """Return the reply to a request, with as many descriptors as expected."""
        number = self._send(what, request)
        reply, descriptors = self._channel.receive(what, number)
        failed = failure(reply.errno, descriptors, expected)
        if failed is not None:
            raise failed
        return reply, descriptors

    def _opened(self, number: int) -> OpenedDescriptors | OSError:
        before = self.seconds()
        reply, descriptors = self._channel.receive(_ENTER, number)
        first_file = 2 if reply.pidfd else 1
        failed = failure(reply.errno, descriptors, first_file + len(reply.opened))
        if failed is not None:
            return failed
        files = dict(zip(reply.opened, descriptors[first_file:], strict=True))
        pidfd = descriptors[1] if reply.pidfd else None
        opened = NamespaceDescriptors(descriptors[0], pidfd, files)
        return OpenedDescriptors(opened, self.seconds() - before)

    def _portions(self, what: str, request: BrokerRequest) -> Iterator[Sequence[int]]:
        start = 0
        while True:
            reply, _ = self._ask(what, replace(request, start=start))
            portion = reply.portion or Portion(())
            yield portion.numbers
            if portion.following == 0:
                return
            if portion.following <= start:
                raise self._channel.malformed(what, "a list that begins again")
            start = portion.following

    def _send(self, what: str, request: BrokerRequest) -> int:
        """Send a request with a new number, and return the number."""
        return self._channel.send(what, lambda number: wire.pack_request(replace(request, number=number)))

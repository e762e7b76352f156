"""Another network namespace, and what is open in it while it is visited.

A socket or a file that was opened in a namespace keeps it alive, and with it the network devices of a
container that has ended. So nothing stays open after a visit.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from exporter.broker.wire import NAMESPACE_FILES, NamespaceTarget
from exporter.kernel.errors import KernelError, NamespaceGoneError, NamespaceReplacedError, from_errno
from exporter.kernel.netns.broker_client import BrokerClient, BrokerLostError, OpenedDescriptors
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.sock_diag.dump import NETLINK_SOCK_DIAG, ForeignDatagrams, accept_kernel_only

# A namespace has one cookie as long as it lives, and no other ever has it (asm-generic/socket.h).
_SO_NETNS_COOKIE = 71
# A process that ended, and a name that was removed.
_GONE = frozenset({errno.ESRCH, errno.ENOENT})
_COOKIE = struct.Struct("=Q")


class RemoteNamespace:
    """One other namespace as the broker lets us see it. One thread uses it."""

    def __init__(self, broker: BrokerClient, name: str, target: NamespaceTarget) -> None:
        """Take the way in; `name` is the value of the `netns` label. Nothing is opened yet."""
        self._target = target
        self.cookie: int | None = None
        self.namespace = Namespace(name, self._connect, ProcfsFiles(self._open), ForeignDatagrams())
        self._broker = broker
        self._diag: socket.socket | None = None
        self._files: dict[str, int] = {}
        self._visited = False
        # The processor time of the broker that visits took.
        self.broker_seconds = 0.0

    @property
    def target(self) -> NamespaceTarget:
        """The way in: a process of the namespace, or its name."""
        return self._target

    def set_target(self, target: NamespaceTarget) -> None:
        """Take another way into the same namespace."""
        self._target = target

    def take(self, opened: OpenedDescriptors) -> None:
        """Use what was opened, once it is sure that it belongs to this namespace. Raises KernelError.

        Files that are open already stay so; what was opened are others.
        """
        self.broker_seconds += opened.seconds
        if self._diag is not None:
            self._diag.close()
        self._diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG, fileno=opened.diag)
        self._files.update(opened.files)
        opened.files, opened.diag = {}, -1
        try:
            accept_kernel_only(self._diag, self.namespace.foreign_datagrams)
            cookie = _cookie(self._diag)
        except OSError as error:
            self.leave()
            raise from_errno("cannot set up a sock_diag socket", error.errno or 0) from error
        if self.cookie not in (None, cookie):
            self.leave()
            raise NamespaceReplacedError
        self.cookie = cookie

    @contextmanager
    def visited(self) -> Iterator[None]:
        """Keep what is opened until the end of the visit."""
        self.leave()
        self._visited = True
        try:
            yield
        finally:
            self._visited = False
            self.leave()

    def leave(self) -> None:
        """Close everything."""
        if self._diag is not None:
            self._diag.close()
            self._diag = None
        while self._files:
            os.close(self._files.popitem()[1])

    @contextmanager
    def _connect(self) -> Iterator[socket.socket]:
        """Lend the socket of this visit. After an error, or a dump left half-way, it is not used again."""
        if self._diag is None:
            self._enter(())
        lent, self._diag = self._diag, None
        assert lent is not None  # noqa: S101  (the visit has opened it)
        try:
            yield lent
        except BaseException:
            lent.close()
            raise
        self._diag = lent
        self._close_unless_visited()

    def _open(self, name: str) -> int:
        if name not in self._files:
            self._enter((name,))
        descriptor = self._files.pop(name, None)
        self._close_unless_visited()
        if descriptor is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return descriptor

    def _enter(self, names: Collection[str]) -> None:
        """Go in for something that no visit has brought. Raises KernelError."""
        for opened in _enter(self._broker, [(self, names)]):
            if isinstance(opened, OSError):
                raise _refused(opened)
            self.take(opened)

    def _close_unless_visited(self) -> None:
        if not self._visited:
            self.leave()


def attach_all(
    broker: BrokerClient, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]
) -> Iterator[tuple[RemoteNamespace, KernelError | None]]:
    """Visit namespaces one after the other, at most as many as the broker enters at once.

    `guests` come with the names of the files to open. Yields each while it is open, or with the error
    that kept us out of it. Raises KernelError where the broker is lost.
    """
    for (remote, _), opened in zip(remotes, _enter(broker, remotes), strict=True):
        if isinstance(opened, OSError):
            yield remote, _refused(opened)
            continue
        with remote.visited():
            try:
                remote.take(opened)
            except KernelError as error:
                yield remote, error
            else:
                yield remote, None


def _enter(
    broker: BrokerClient, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]
) -> Iterator[OpenedDescriptors | OSError]:
    try:
        yield from broker.enter([replace(remote.target, files=_bits(names)) for remote, names in remotes])
    except BrokerLostError as error:
        raise KernelError(f"cannot enter network namespaces: {error}", "broker") from error


def _refused(error: OSError) -> KernelError:
    what = "cannot enter a network namespace"
    if error.errno in _GONE:
        return NamespaceGoneError(what, errno.errorcode[error.errno])
    return from_errno(what, error.errno or 0)


def _bits(names: Collection[str]) -> int:
    return sum(1 << NAMESPACE_FILES.index(name) for name in names)


def _cookie(channel: socket.socket) -> int:
    """Read the cookie of a socket's namespace, 0 where the kernel is older than 5.14. Raises OSError."""
    try:
        number: int = _COOKIE.unpack(channel.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _COOKIE.size))[0]
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return 0
        raise
    return number


def have_cookies() -> bool:
    """Tell whether this kernel gives namespaces cookies, so that no two are ever taken for one."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        return _cookie(any_socket) != 0

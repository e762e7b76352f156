"""Another network namespace, and what is open in it.

A socket or a file that was opened in a namespace keeps it, and with it the network devices of a container
that has ended. So what stays open is closed when the process or the name ends that stands for the namespace
(exporter/kernel/netns/end_watch.py).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from typing import Final

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.broker_channel import close_all
from exporter.kernel.errors import (
    KernelError,
    NamespaceGoneError,
    NamespaceReplacedError,
    from_os_error,
    reason_of,
)
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import NO_COOKIE, CookieReader, namespace_cookie
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.netns.opened import NamespaceDescriptors, OpenedDescriptors
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.sock_diag.diag_socket import (
    NETLINK_SOCK_DIAG,
    DiagSockets,
    ForeignDatagrams,
    accept_kernel_only,
)

_ENTER: Final = "cannot enter a network namespace"
# A process that has ended, and a name that was removed.
_GONE: Final = frozenset({errno.ESRCH, errno.ENOENT})


class RemoteNamespace(DiagSockets, ProcfsFiles):
    """One other namespace, in which the broker opens sockets and files. One thread uses it.

    `namespace` is what it is read by. Between `attach` and `detach` it uses what `attach` was given, and what
    is missing is opened and stays open; at other times each request opens what it needs and closes it.
    `cookie` is that of the namespace, NO_COOKIE where it has none, None before the first time.
    `broker_seconds` is the processor time that the broker has used for it.
    """

    def __init__(
        self,
        broker: BrokerClient,
        name: str,
        target: NamespaceTarget,
        read_cookie: CookieReader = namespace_cookie,
    ) -> None:
        """Take the label `netns` and the target; nothing is opened yet."""
        self.namespace = Namespace(name, self, self, ForeignDatagrams())
        self.cookie: int | None = None
        self.broker_seconds = 0.0
        self.attached = False
        self._broker = broker
        self._target = target
        self._read_cookie = read_cookie
        # Whether it is another namespace that would be entered, without a cookie that could tell.
        self._replaced = False
        self._diag: socket.socket | None = None
        self._pidfd: int | None = None
        self._files: dict[str, int] = {}
        # What was asked for and is not in this namespace, or may not be read.
        self._missing: frozenset[str] = frozenset()

    @property
    def target(self) -> NamespaceTarget:
        """The process or the name by which the namespace is entered."""
        return self._target

    @property
    def pidfd(self) -> int | None:
        """The process by which it was entered while it is attached.

        None where that was a name, or where the kernel has no pidfd.
        """
        return self._pidfd

    @property
    def path_name(self) -> bytes:
        """The name under /run/netns by which it is entered, empty where it is entered by a process."""
        return self._target.name

    def set_target(self, target: NamespaceTarget) -> None:
        """Enter the same namespace by another process or name from now on.

        That it is the same is known by its cookie. Where namespaces have none it counts as another, since the
        number of one that is gone is soon given to the next.
        """
        self._target = target
        self._replaced = self._replaced or self.cookie == NO_COOKIE

    def attach(self, opened: OpenedDescriptors, names: Collection[str] = ()) -> None:
        """Use what was opened, until `detach`; `names` are the files that were asked for.

        Raises KernelError; then everything is closed.
        """
        self.detach()
        self.attached = True
        self._add(opened)
        self._missing = frozenset(names) - self._files.keys()

    def detach(self) -> None:
        """Close everything."""
        self.attached = False
        self._missing = frozenset()
        if self._diag is not None:
            self._diag.close()
            self._diag = None
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        while self._files:
            os.close(self._files.popitem()[1])

    def acquire(self) -> socket.socket:
        """Return a sock_diag socket of the namespace. Raises KernelError."""
        channel = self._diag or self._fetch(())
        self._diag = None
        return channel

    def release(self, channel: socket.socket) -> None:
        """Keep the socket while attached, and close it otherwise."""
        if self._diag is not None:
            self._diag.close()
        self._diag = channel
        self._detach_unless_attached()

    def open(self, name: str) -> int:
        """Return the descriptor of a file, at its beginning. Raises OSError or KernelError."""
        if name in self._files:
            os.lseek(self._files[name], 0, os.SEEK_SET)
            return self._files.pop(name)
        descriptor = None
        if name not in self._missing:
            self._fetch((name,))
            descriptor = self._files.pop(name, None)
            self._detach_unless_attached()
        if descriptor is None:
            if self.attached:
                self._missing |= {name}
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return descriptor

    def close(self, name: str, descriptor: int) -> None:
        """Keep the file while attached, and close it otherwise."""
        if self.attached and name not in self._files:
            self._files[name] = descriptor
        else:
            os.close(descriptor)

    def _fetch(self, names: Collection[str]) -> socket.socket:
        """Have the broker open a socket and these files, and return the socket. Raises KernelError."""
        (opened,) = self._broker.enter([replace(self._target, files=names)])
        if isinstance(opened, OSError):
            raise _refused(opened)
        return self._add(opened)

    def _add(self, opened: OpenedDescriptors) -> socket.socket:
        """Keep what was opened if it belongs to this namespace. Raises KernelError; then all is closed."""
        self.broker_seconds += opened.seconds
        channel = self._keep(opened.release())
        kept = channel is self._diag
        try:
            if kept:
                accept_kernel_only(channel, self.namespace.foreign_datagrams)
            cookie = self._read_cookie(channel)
        except OSError as error:
            self.detach()
            raise from_os_error("cannot set up a sock_diag socket", error) from error
        finally:
            if not kept:
                channel.close()
        if self._replaced or self.cookie not in (None, cookie):
            self.detach()
            raise NamespaceReplacedError
        self.cookie = cookie
        return channel

    def _keep(self, descriptors: NamespaceDescriptors) -> socket.socket:
        """Take descriptors and return the socket; one that is open stays, since nobody can reach it."""
        channel = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG, fileno=descriptors.diag
        )
        self._diag = self._diag or channel
        # One that is open already is being watched.
        if self.attached and self._pidfd is None:
            self._pidfd = descriptors.pidfd
        elif descriptors.pidfd is not None:
            os.close(descriptors.pidfd)
        close_all(self._files.pop(name) for name in descriptors.files.keys() & self._files.keys())
        self._files.update(descriptors.files)
        return channel

    def _detach_unless_attached(self) -> None:
        if not self.attached:
            self.detach()


def attach_all(
    broker: BrokerClient,
    remotes: Sequence[tuple[RemoteNamespace, Collection[str]]],
    keep: Callable[[RemoteNamespace], bool] = lambda _remote: False,
) -> Generator[tuple[RemoteNamespace, KernelError | None], None, None]:
    """Attach namespaces one after the other, at most MAX_TARGETS, each with these files opened.

    Yields each while it is attached, or with the error that kept it from being so. `keep` decides whether it
    stays attached afterwards. Raises BrokerUnavailableError.
    """
    targets = [replace(remote.target, files=names) for remote, names in remotes]
    for (remote, names), opened in zip(remotes, broker.enter(targets), strict=True):
        try:
            if isinstance(opened, OSError):
                raise _refused(opened)
            remote.attach(opened, names)
        except KernelError as error:
            yield remote, error
            continue
        try:
            yield remote, None
        finally:
            if not keep(remote):
                remote.detach()


def _refused(error: OSError) -> KernelError:
    if error.errno in _GONE:
        return NamespaceGoneError(_ENTER, reason_of(error.errno), error.errno)
    return from_os_error(_ENTER, error)

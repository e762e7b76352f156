"""Another network namespace, and what is open in it while it is read.

A socket or a file that was opened in a namespace keeps it, and with it the network devices of a container
that has ended. So everything is closed when the namespace has been read.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import (
    KernelError,
    NamespaceGoneError,
    NamespaceReplacedError,
    from_os_error,
    reason_of,
)
from exporter.kernel.netns.broker_client import BrokerClient, OpenedDescriptors
from exporter.kernel.netns.cookie import namespace_cookie
from exporter.kernel.netns.namespace import Namespace
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
    `cookie` is that of the namespace, None before the first time, and `broker_seconds` the processor time
    that the broker has used for it.
    """

    def __init__(self, broker: BrokerClient, name: str, target: NamespaceTarget) -> None:
        """Take the label `netns` and the target; nothing is opened yet."""
        self.namespace = Namespace(name, self, self, ForeignDatagrams())
        self.cookie: int | None = None
        self.broker_seconds = 0.0
        self._broker = broker
        self._target = target
        self._attached = False
        self._diag: socket.socket | None = None
        self._files: dict[str, int] = {}

    @property
    def target(self) -> NamespaceTarget:
        """The process or the name by which the namespace is entered."""
        return self._target

    def set_target(self, target: NamespaceTarget) -> None:
        """Enter the same namespace by another process or name from now on."""
        self._target = target

    def attach(self, opened: OpenedDescriptors) -> None:
        """Use what was opened, until `detach`. Raises KernelError; then everything is closed."""
        self.detach()
        self._add(opened)
        self._attached = True

    def detach(self) -> None:
        """Close everything."""
        self._attached = False
        if self._diag is not None:
            self._diag.close()
            self._diag = None
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
        """Return the descriptor of a file, for the caller to close.

        Raises KernelError or FileNotFoundError.
        """
        if name not in self._files:
            self._fetch((name,))
        descriptor = self._files.pop(name, None)
        self._detach_unless_attached()
        if descriptor is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return descriptor

    def _fetch(self, names: Collection[str]) -> socket.socket:
        """Have the broker open a socket and these files, and return the socket. Raises KernelError."""
        (opened,) = self._broker.enter([replace(self._target, files=names)])
        if isinstance(opened, OSError):
            raise _refused(opened)
        return self._add(opened)

    def _add(self, opened: OpenedDescriptors) -> socket.socket:
        """Keep what was opened if it belongs to this namespace. Raises KernelError; then all is closed."""
        self.broker_seconds += opened.seconds
        diag, files = opened.release()
        if self._diag is not None:
            self._diag.close()
        # Files that are open already stay so.
        self._files.update(files)
        try:
            channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG, fileno=diag)
            self._diag = channel
            accept_kernel_only(channel, self.namespace.foreign_datagrams)
            cookie = namespace_cookie(channel)
        except OSError as error:
            self.detach()
            raise from_os_error("cannot set up a sock_diag socket", error) from error
        if self.cookie not in (None, cookie):
            self.detach()
            raise NamespaceReplacedError
        self.cookie = cookie
        return channel

    def _detach_unless_attached(self) -> None:
        if not self._attached:
            self.detach()


def attach_all(
    broker: BrokerClient, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]
) -> Iterator[tuple[RemoteNamespace, KernelError | None]]:
    """Attach namespaces one after the other, at most MAX_TARGETS, each with these files opened.

    Yields each while it is attached, or with the error that kept it from being so. Raises
    BrokerUnavailableError.
    """
    targets = [replace(remote.target, files=names) for remote, names in remotes]
    for (remote, _), opened in zip(remotes, broker.enter(targets), strict=True):
        try:
            if isinstance(opened, OSError):
                raise _refused(opened)
            remote.attach(opened)
        except KernelError as error:
            yield remote, error
            continue
        try:
            yield remote, None
        finally:
            remote.detach()


def _refused(error: OSError) -> KernelError:
    if error.errno in _GONE:
        return NamespaceGoneError(_ENTER, reason_of(error.errno), error.errno)
    return from_os_error(_ENTER, error)

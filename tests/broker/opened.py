"""What the broker opened in a namespace, read as the exporter reads it."""

from __future__ import annotations

import os
import socket
from types import TracebackType
from typing import Self

from exporter.kernel.family import TCP
from exporter.kernel.netns.opened import OpenedDescriptors
from exporter.kernel.sock_diag.diag_socket import (
    NETLINK_SOCK_DIAG,
    DiagSockets,
    ForeignDatagrams,
    accept_kernel_only,
)
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.sock_diag.messages import messages


class Opened(DiagSockets):
    """Takes what was opened, and closes it at the end of `with`."""

    def __init__(self, opened: OpenedDescriptors) -> None:
        self.seconds = opened.seconds
        descriptors = opened.release()
        self.files = descriptors.files
        self.pidfd = descriptors.pidfd
        self.channel = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG, fileno=descriptors.diag
        )
        accept_kernel_only(self.channel, ForeignDatagrams())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()
        for descriptor in self.files.values():
            os.close(descriptor)
        if self.pidfd is not None:
            os.close(self.pidfd)

    def acquire(self) -> socket.socket:
        """Return the socket."""
        return self.channel

    def release(self, channel: socket.socket) -> None:
        """Leave it open."""

    def ports(self) -> list[int]:
        """Return the ports of the TCP listeners."""
        rows = (row for datagram in dump(TCP.rows.requests[0], self) for row in messages(datagram))
        return sorted(int(TCP.rows.listener(row).port) for row in rows)

    def text(self, name: str) -> str:
        """Return the content of a file."""
        return os.pread(self.files[name], 1 << 16, 0).decode()

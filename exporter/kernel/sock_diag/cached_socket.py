"""A sock_diag socket that stays open between dumps.

It is for the network namespace of this process only, which exists as long as the process does. In any other
an open socket has to be closed when the namespace ends (exporter/kernel/netns/remote.py). To open, set up
and close a socket for each dump costs as much as a small dump.
"""

from __future__ import annotations

import socket

from exporter.kernel.sock_diag.diag_socket import DiagSockets, ForeignDatagrams, open_socket


class CachedSocket(DiagSockets):
    """Keeps one socket open; a dump that begins while another has it gets a new one."""

    def __init__(self, foreign_datagrams: ForeignDatagrams | None = None) -> None:
        """Open nothing yet."""
        self._foreign_datagrams = foreign_datagrams or ForeignDatagrams()
        self._idle: socket.socket | None = None

    def acquire(self) -> socket.socket:
        """Return the socket that is kept, or a new one. Raises KernelError."""
        idle, self._idle = self._idle, None
        return idle or open_socket(self._foreign_datagrams)

    def release(self, channel: socket.socket) -> None:
        """Keep the socket, or close it where one is kept already."""
        if self._idle is None:
            self._idle = channel
        else:
            channel.close()

    def __del__(self) -> None:
        """Close the socket that is kept."""
        if self._idle is not None:
            self._idle.close()

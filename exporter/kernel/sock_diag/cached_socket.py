"""A sock_diag socket that stays open between dumps.

Only for the namespace this process lives in, which outlives the socket anyway: in any other it would
keep a dead container's namespace from going. After a pause the opening, setting up and closing of a
socket costs as much as a small dump itself.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

from exporter.kernel.sock_diag import dump as netlink


class CachedSocket:
    """Lends out one socket at a time; who asks meanwhile gets one of their own."""

    def __init__(self, connect: Callable[[], socket.socket] = netlink.connect) -> None:
        """Open nothing yet."""
        self._connect = connect
        self._idle: socket.socket | None = None

    def __call__(self) -> AbstractContextManager[socket.socket]:
        """Lend the socket. After an error, or a dump that was left half-way, it is not used again."""
        idle, self._idle = self._idle, None
        return _Loan(idle or self._connect(), self._give_back)

    def __del__(self) -> None:
        """Close the socket with its keeper."""
        if self._idle is not None:
            self._idle.close()

    def _give_back(self, lent: socket.socket) -> None:
        if self._idle is None:
            self._idle = lent
        else:
            lent.close()


class _Loan:
    # What contextlib makes of a generator takes longer than a system call, twenty times a second.
    __slots__ = ("_give_back", "_lent")

    def __init__(self, lent: socket.socket, give_back: Callable[[socket.socket], None]) -> None:
        self._lent = lent
        self._give_back = give_back

    def __enter__(self) -> socket.socket:
        return self._lent

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._give_back(self._lent)
        else:
            self._lent.close()

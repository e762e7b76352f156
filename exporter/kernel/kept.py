"""A sock_diag socket that stays open between dumps.

Only for the namespace this process lives in, which outlives the socket anyway: in any other it would
keep a dead container's namespace from going. After a pause the opening, setting up and closing of a
socket costs as much as a small dump itself.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.kernel import netlink


class KeptSocket:
    """Lends out one socket at a time; who asks meanwhile gets one of their own."""

    def __init__(self, connect: Callable[[], socket.socket] = netlink.connect) -> None:
        """Open nothing yet."""
        self._connect = connect
        self._idle: socket.socket | None = None

    @contextmanager
    def __call__(self) -> Iterator[socket.socket]:
        """Lend the socket. After an error, or a dump that was left half-way, it is not used again."""
        lent, self._idle = self._idle or self._connect(), None
        try:
            yield lent
        except BaseException:
            lent.close()
            raise
        self._give_back(lent)

    def __del__(self) -> None:
        """Close the socket with its keeper."""
        if self._idle is not None:
            self._idle.close()

    def _give_back(self, lent: socket.socket) -> None:
        if self._idle is None:
            self._idle = lent
        else:
            lent.close()

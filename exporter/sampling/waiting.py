"""Waiting for the next tick, for the end of a namespace, or to be stopped."""

from __future__ import annotations

import os
import select


class Waiting:
    """One thread waits, any other may stop it."""

    def __init__(self, *descriptors: int) -> None:
        """Wait no longer, too, while one of these descriptors is readable. Raises OSError."""
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        for descriptor in (self._stop, *descriptors):
            self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds` at most, and tell whether it was stopped."""
        # poll(2) counts milliseconds, and the remainder is rounded up.
        return any(descriptor == self._stop for descriptor, _ in self._poll.poll(seconds * 1000))

    def stop(self) -> None:
        """End this wait and every later one."""
        os.eventfd_write(self._stop, 1)

    def __del__(self) -> None:
        """Close the descriptor that was opened here."""
        os.close(self._stop)

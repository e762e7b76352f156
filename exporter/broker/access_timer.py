"""The time that the file broker has for what may hang, and how its supervisor sees that it is over.

A wait for a file system ends with the process that waits (a fatal signal), so no timeout inside the process
would do. Nor would a signal to itself always do: while a FUSE server has taken a request and does not answer
it, even SIGKILL is not acted upon (request_wait_answer, fs/fuse/dev.c). So the supervisor watches a timer
that both have. Source: timerfd_create(2).
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from exporter import libc

# struct itimerspec: interval and first expiry, each in seconds and nanoseconds.
_TIMERSPEC: Final = struct.Struct("@llll")
_EXPIRATIONS_BYTES: Final = 8


class AccessTimer:
    """A timer that two processes share; its descriptor is readable once the time is over."""

    def __init__(self, seconds: float) -> None:
        """Take the time that each access has. Raises OSError."""
        # TFD_CLOEXEC and TFD_NONBLOCK are the flags of open(2).
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = libc.call("timerfd_create", time.CLOCK_MONOTONIC, flags)
        whole = int(seconds)
        self._armed = _TIMERSPEC.pack(0, 0, whole, int((seconds - whole) * 1e9))
        self._disarmed = _TIMERSPEC.pack(0, 0, 0, 0)

    def fileno(self) -> int:
        """Return the descriptor, which poll(2) reports as readable once the time is over."""
        return self._descriptor

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Let the time run while the body of `with` does. Raises OSError."""
        self._set(self._armed)
        try:
            yield
        finally:
            self._set(self._disarmed)

    def expired(self) -> bool:
        """Tell whether the time was over since this was asked last."""
        with suppress(BlockingIOError):
            return bool(os.read(self._descriptor, _EXPIRATIONS_BYTES))
        return False

    def reset(self) -> None:
        """Stop the time of a process that has ended. Raises OSError."""
        self._set(self._disarmed)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def _set(self, specification: bytes) -> None:
        libc.call("timerfd_settime", self._descriptor, 0, specification, None)

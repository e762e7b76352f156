"""Writes lines of the log in a thread of its own, so that nothing else waits for who reads them.

A pipe that nobody reads, a terminal that is stopped and a file server that does not answer all make write(2)
wait. That the descriptor does not block cannot be arranged: the flag is shared with the other programs that
write to it.
"""

from __future__ import annotations

import os
import select
import threading
from queue import SimpleQueue
from typing import Final

# What waits to be written, at most; an hour of an unusually long log.
_MAX_WAITING_BYTES: Final = 256 * 1024
MAX_LINE_BYTES: Final = 16 * 1024
_CUT: Final = b"..."


class LogWriter:
    """Writes lines to a descriptor, in their order; those for which there is no space are dropped."""

    def __init__(self, descriptor: int, max_waiting_bytes: int = _MAX_WAITING_BYTES) -> None:
        """Lines are kept until `start`."""
        self._descriptor = descriptor
        self._max_waiting_bytes = max_waiting_bytes
        # Safe also where a finalizer logs in the middle of another line (SimpleQueue is reentrant).
        self._lines: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        # Each is changed by one side alone, so neither needs a lock.
        self._accepted_bytes = 0
        self._finished_bytes = 0
        self._refused = 0
        self._failed = 0
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were not written: for want of space, or because writing failed."""
        return self._refused + self._failed

    def write(self, line: str) -> None:
        """Have a line written, without waiting. To be called by one thread at a time, as logging does."""
        encoded = line.encode("utf-8", errors="backslashreplace")
        if len(encoded) > MAX_LINE_BYTES:
            encoded = encoded[:MAX_LINE_BYTES] + _CUT
        encoded += b"\n"
        if self._accepted_bytes - self._finished_bytes + len(encoded) > self._max_waiting_bytes:
            self._refused += 1
            return
        self._accepted_bytes += len(encoded)
        self._lines.put(encoded)

    def start(self) -> None:
        """Begin to write. Not to be called before a fork, or before capabilities are dropped."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def flush(self, seconds: float) -> None:
        """Wait until all lines are written, for so long at most."""
        self.start()
        written = threading.Event()
        self._lines.put(written)
        written.wait(seconds)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            try:
                self._write_all(line)
            except OSError:
                # As where the disk is full, or the reader has gone. The next line may find it otherwise.
                self._failed += 1
            finally:
                self._finished_bytes += len(line)

    def _write_all(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                # Another program has set the flag for both.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()

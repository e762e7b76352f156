"""SIGTERM, SIGINT and SIGHUP, from the first instruction of the program to its last.

Without a handler the kernel ends the program at any of them, and ignores them where it is the first process
of a container. So they are taken before anything else is imported, and are ignored once the program is
ending. This module imports only what is needed for that.
"""

from __future__ import annotations

import os
import signal

# As in typing, which takes longer to import than everything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

_END = (signal.SIGTERM, signal.SIGINT)
_READ_BYTES = 4096


class ProcessSignals:
    """What the signals do to this process.

    Until `serve`, SIGTERM and SIGINT end the process at once: nothing is open that has to be closed.
    """

    def __init__(self) -> None:
        """Change nothing yet."""
        self._reload_wanted = False
        self._status_at_end: int | None = None
        self._end: Callable[[], object] | None = None
        self._reload: Callable[[], object] | None = None

    def take_for_command(self) -> None:
        """End with 128 + the number of the signal, as a shell shows it, and without a traceback."""
        for number in _END:
            # A shell without job control starts programs in the background with SIGINT ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ended)

    def take_for_daemon(self) -> None:
        """End with status 0; a SIGHUP is remembered until it can be served."""
        self._status_at_end = 0
        for number in _END:
            signal.signal(number, self._ended)
        signal.signal(signal.SIGHUP, self._reload_asked)

    def serve(
        self, loop: AbstractEventLoop, *, end: Callable[[], object], reload: Callable[[], object]
    ) -> None:
        """Call `end` in the loop at SIGTERM and SIGINT, and `reload` at SIGHUP, also at one from before.

        To be called in the main thread, by the loop that runs there.
        """
        # The handler of a signal that another thread has taken runs only once the loop wakes up.
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        loop.add_reader(reading, os.read, reading, _READ_BYTES)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._end = lambda: loop.call_soon_threadsafe(end)
        self._reload = lambda: loop.call_soon_threadsafe(reload)
        for number in _END:
            signal.signal(number, self._ended)
        signal.signal(signal.SIGHUP, self._reload_asked)
        if self._reload_wanted:
            self._reload()

    @staticmethod
    def ignore() -> None:
        """Ignore all three from now on, also while Python ends, which restores what is not ignored."""
        for number in (*_END, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)

    def _ended(self, number: int, _frame: FrameType | None) -> None:
        if self._end is None:
            # An exception could arise anywhere, also where Python only prints it.
            os._exit(128 + number if self._status_at_end is None else self._status_at_end)
        self._end()

    def _reload_asked(self, _number: int, _frame: FrameType | None) -> None:
        if self._reload is None:
            self._reload_wanted = True
        else:
            self._reload()

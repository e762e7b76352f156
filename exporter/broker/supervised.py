"""One broker as its supervisor sees it: when it is started, when it hangs, and when it is started again."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from typing import Final

from exporter.broker.access_timer import AccessTimer

_MIN_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 10.0
# A broker that hangs may not end when it is killed, before a file server answers. Another is started beside
# it after this time, as long as there are not too many that did not end.
_END_SECONDS: Final = 1.0
MAX_STUCK: Final = 4


class SupervisedBroker:
    """Starts a broker, and starts it again whenever it has ended. Times are monotonic seconds.

    `start` forks it and returns its process, `ended_message` encodes that a broker has ended and with which
    errno, for the exporter at the other end of `channel`. `timer` is the one that runs while it does what
    may hang, None for a broker that does no such thing. `finished` tells that the exporter has closed its
    end, so that none is started any more.
    """

    def __init__(
        self,
        start: Callable[[], int],
        channel: socket.socket,
        ended_message: Callable[[int], bytes],
        timer: AccessTimer | None = None,
    ) -> None:
        self.timer = timer
        self.finished = False
        self._start = start
        self._channel = channel
        self._ended_message = ended_message
        self._pid: int | None = None
        self._started = 0.0
        self._pause = _MIN_PAUSE_SECONDS
        # When it is started, or given up as stuck after it was killed.
        self._due = 0.0
        self._killed = False
        self._stuck: set[int] = set()

    def due(self) -> float | None:
        """Return when there is something to do, None where nothing is due."""
        running = self._pid is not None and not self._killed
        return None if running or self.finished or len(self._stuck) >= MAX_STUCK else self._due

    def run_due(self, now: float) -> None:
        """Do what is due. Raises OSError."""
        due = self.due()
        if due is None or due > now:
            return
        if self._pid is None:
            self._started = now
            self._pid = self._start()
        else:
            self._stuck.add(self._pid)
            self._has_ended(now)

    def end_hung(self, now: float) -> None:
        """Kill the broker where its time is over."""
        if self.timer is not None and self.timer.expired() and self._pid is not None and not self._killed:
            os.kill(self._pid, signal.SIGKILL)
            self._killed = True
            self._due = now + _END_SECONDS

    def reaped(self, pid: int, now: float) -> None:
        """Take note that a process has ended, be it this broker or another. Raises OSError."""
        self._stuck.discard(pid)
        if pid == self._pid:
            self._has_ended(now)

    def _has_ended(self, now: float) -> None:
        """Tell the exporter, and start another after a pause."""
        hung, self._killed, self._pid = self._killed, False, None
        if self.timer is not None:
            self.timer.reset()
        try:
            self._channel.send(self._ended_message(errno.ETIMEDOUT if hung else 0), socket.MSG_DONTWAIT)
        except BlockingIOError:
            # Nobody reads, and a message that says so is there already.
            pass
        except BrokenPipeError:
            self.finished = True
        # The pause doubles where brokers end by themselves soon after they have started.
        soon = now - self._started <= _MAX_PAUSE_SECONDS and not hung
        self._pause = min(self._pause * 2, _MAX_PAUSE_SECONDS) if soon else _MIN_PAUSE_SECONDS
        self._due = now + self._pause

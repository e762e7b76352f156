"""What other threads have the sampling thread do, which alone may use what belongs to samples."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

_Request = tuple[Callable[[], Any], Future[Any]]


class ThreadRequests:
    """Functions that wait for the sampling thread. That thread calls `serve`, any thread `call`."""

    def __init__(self) -> None:
        """Nothing is asked for yet. Raises OSError."""
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._asked: deque[_Request] = deque()
        self._server: int | None = None

    def fileno(self) -> int:
        """Return a descriptor that is readable while `serve` has something to do."""
        return self._event

    def call(self, function: Callable[[], Result], seconds: float) -> Result:
        """Have the sampling thread call a function, and return what it returns or raise what it raises.

        It is called at once in that thread itself. Any other raises TimeoutError where it was not called
        within `seconds`, and then it never is.
        """
        request: Future[Result] = Future()
        with self._lock:
            self._asked.append((function, request))
            os.eventfd_write(self._event, 1)
        if threading.get_ident() == self._server:
            self.serve()
        try:
            return request.result(seconds)
        except TimeoutError:
            if not request.cancel():
                # It is being called just now.
                return request.result()
            raise

    def serve(self) -> None:
        """Call what was asked for; to be called in each tick."""
        self._server = threading.get_ident()
        # What is added just now has made the descriptor readable.
        if not self._asked:
            return
        with self._lock:
            os.eventfd_read(self._event)
            asked, self._asked = self._asked, deque()
        for function, request in asked:
            if not request.set_running_or_notify_cancel():
                continue
            try:
                request.set_result(function())
            except Exception as error:  # noqa: BLE001  (raised where it was asked for)
                request.set_exception(error)

    def __del__(self) -> None:
        """Close the descriptor."""
        os.close(self._event)

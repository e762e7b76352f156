"""A process that a test forks, and that ends with a `with` block."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

_REPORT_BYTES = 4096


class ForkedProcess:
    """A child of the test, which is killed at the end of `with`.

    It does `work`, which is given a descriptor to write a report to once all is ready, and then sleeps or
    ends itself. Where it returns or raises, the child ends with status 1. `report` is what it has written,
    empty where it ended before.
    """

    def __init__(self, work: Callable[[int], object]) -> None:
        receiver, sender = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(receiver)
                work(sender)
            except BaseException:  # noqa: BLE001  (no caller above the fork would show it)
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(1)
        os.close(sender)
        self.report = os.read(receiver, _REPORT_BYTES)
        os.close(receiver)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill it, and wait until it has ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

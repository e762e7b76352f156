"""Which way the kernel is asked: sock_diag where it is there, else /proc/net."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.records import Method

# A module may be loaded, or a filter lifted, while this program runs.
_RETRY_SECONDS = 60.0

Answer = TypeVar("Answer")


class MethodFallback:
    """One question's rung. With `auto` it steps down where sock_diag is missing, and tries again."""

    def __init__(self, method: Method) -> None:
        """Start on the rung that the configuration asks for; `auto` starts at the top."""
        self.choose(method)

    def choose(self, method: Method) -> None:
        """Take another setting of `sampling.method`."""
        self._setting = method
        self._retry_at = 0.0
        self.method = Method.PROCFS if method is Method.PROCFS else Method.SOCK_DIAG

    def ask(self, now: float, *, sock_diag: Callable[[], Answer], procfs: Callable[[], Answer]) -> Answer:
        """Ask the kernel on the rung in force (`now` in monotonic seconds). Raises KernelError."""
        if self.method is Method.PROCFS and not self._may_climb(now):
            return procfs()
        try:
            answer = sock_diag()
        except KernelError as error:
            # On the way up anything may fail: the rung below still holds.
            climbing = self.method is Method.PROCFS
            if self._setting is not Method.AUTO or not (climbing or isinstance(error, UnavailableError)):
                raise
            self._retry_at = now + _RETRY_SECONDS
            self.method = Method.PROCFS
            return procfs()
        self.method = Method.SOCK_DIAG
        return answer

    def _may_climb(self, now: float) -> bool:
        return self._setting is Method.AUTO and now >= self._retry_at

"""Which method the kernel is asked by: sock_diag where it is available, else /proc/net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from exporter.kernel.errors import KernelError, UnavailableError, UnimplementedError
from exporter.kernel.records import Method

# A module may be loaded, or a filter lifted, while this program runs.
_RETRY_SECONDS: Final = 60.0

Answer = TypeVar("Answer")


class MethodFallback:
    """The method in force for one request; `auto` changes to procfs where sock_diag is not available.

    `method` is SOCK_DIAG or PROCFS.
    """

    def __init__(self, method: Method) -> None:
        """Start with the method of the configuration; `auto` starts with sock_diag."""
        self.choose(method)

    def choose(self, method: Method) -> None:
        """Take another setting of `sampling.method`."""
        self._setting = method
        self._retry_at = 0.0
        self.method = Method.PROCFS if method is Method.PROCFS else Method.SOCK_DIAG

    def ask(self, now: float, *, sock_diag: Callable[[], Answer], procfs: Callable[[], Answer]) -> Answer:
        """Ask by the method in force (`now` in monotonic seconds). Raises KernelError.

        While procfs is in force, sock_diag is tried again once a minute.
        """
        retrying = self.method is Method.PROCFS
        if retrying and (self._setting is not Method.AUTO or now < self._retry_at):
            return procfs()
        try:
            answer = sock_diag()
        except KernelError as error:
            # Where procfs worked, no error of sock_diag is a reason to stop using it.
            if self._setting is not Method.AUTO or not (retrying or isinstance(error, UnavailableError)):
                raise
            try:
                answer = procfs()
            except UnimplementedError:
                # It will not work the next time either, and is all that there is.
                self._use_procfs(now)
                raise
            self._use_procfs(now)
            return answer
        self.method = Method.SOCK_DIAG
        return answer

    def _use_procfs(self, now: float) -> None:
        self._retry_at = now + _RETRY_SECONDS
        self.method = Method.PROCFS

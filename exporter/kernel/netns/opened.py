"""What the broker has opened in a namespace, on its way to whoever uses it."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from dataclasses import dataclass, field

from exporter.kernel.broker_channel import close_all


@dataclass(frozen=True, slots=True)
class NamespaceDescriptors:
    """A sock_diag socket, the pidfd of the process that the namespace was entered by, and files by name.

    `pidfd` is None where the namespace was entered by its name, and where the kernel has none.
    """

    diag: int
    pidfd: int | None = None
    files: dict[str, int] = field(default_factory=dict)


class OpenedDescriptors:
    """The descriptors of one namespace, which are closed unless they are released.

    `seconds` is the processor time that the broker used.
    """

    def __init__(self, descriptors: NamespaceDescriptors, seconds: float) -> None:
        self.seconds = seconds
        self._descriptors: NamespaceDescriptors | None = descriptors

    def release(self) -> NamespaceDescriptors:
        """Return the descriptors, for the caller to close."""
        assert self._descriptors is not None  # noqa: S101  (they have one user)
        released, self._descriptors = self._descriptors, None
        return released

    def close(self) -> None:
        """Close what was not released."""
        if self._descriptors is None:
            return
        released = self.release()
        close_all((released.diag, *released.files.values()))
        if released.pidfd is not None:
            os.close(released.pidfd)


def failure(number: int, descriptors: Collection[int], expected: int) -> OSError | None:
    """Return the error of a reply, after closing what came with it; None where `number`, its errno, is 0."""
    if number == 0:
        if len(descriptors) == expected:
            return None
        # The kernel drops what this process has no free descriptor for (MSG_CTRUNC, recvmsg(2)).
        number = errno.EMFILE
    close_all(descriptors)
    return OSError(number, os.strerror(number))

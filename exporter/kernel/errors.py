"""What can go wrong between this program and the kernel."""

from __future__ import annotations

import errno
import os

from exporter.errors import RunError

# What the kernel answers, or a container's seccomp filter in its place, where an interface is not
# there at all: sock_diag without a handler says ENOENT or EINVAL (net/core/sock_diag.c).
_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.EINVAL,
        errno.EPERM,
        errno.EACCES,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
    }
)


class KernelError(RunError):
    """A question to the kernel failed. `reason` is a short word fit for a metric's label."""

    def __init__(self, what: str, reason: str) -> None:
        """Name the question (`what`) and the kernel's answer (`reason`)."""
        super().__init__(f"{what}: {reason}")
        self.reason = reason


class UnavailableError(KernelError):
    """The kernel, or what guards it, does not offer this interface; asking again will not help."""


class NamespaceGoneError(KernelError):
    """The process or the name by which a namespace is entered is no more; another may lead there."""


class NamespaceReplacedError(KernelError):
    """The way into a namespace led to another one: it has ended, and its number was given away."""

    def __init__(self) -> None:
        super().__init__("another network namespace has taken the place of this one", "replaced")


class MalformedReplyError(KernelError):
    """The reply is not what the kernel's headers describe; nothing of it may be used."""

    def __init__(self, what: str) -> None:
        """Say what is wrong with the reply."""
        super().__init__(what, "malformed")


class ForeignDatagramError(KernelError):
    """A datagram came from another process than the kernel."""

    def __init__(self, sender: int) -> None:
        """Name the netlink port that sent it."""
        super().__init__(f"netlink datagram from port {sender}, not from the kernel", "forged")


def from_errno(what: str, number: int) -> KernelError:
    """Turn an errno (positive) into the error that tells whether a fallback makes sense."""
    kind = UnavailableError if number in _ABSENT else KernelError
    error = kind(what, errno.errorcode.get(number, f"errno_{number}"))
    # strerror() refuses what is too large for a C int.
    if number in errno.errorcode:
        error.add_note(os.strerror(number))
    return error

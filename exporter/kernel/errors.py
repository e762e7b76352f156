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
    """A request to the kernel failed.

    `reason` is a short word fit for the label of a metric. `errno` is what a system call failed with, or what
    the kernel answered in a message; None where neither did.
    """

    def __init__(self, what: str, reason: str, number: int | None = None) -> None:
        """Take the request (`what`), the reason, and the errno."""
        super().__init__(f"{what}: {reason}")
        self.reason = reason
        self.errno = number


class UnavailableError(KernelError):
    """The kernel, or what guards it, does not offer this interface; asking again will not help."""


class UnimplementedError(UnavailableError):
    """A file of /proc is there, and what stands in for the kernel has left out the figures in it."""

    def __init__(self, what: str) -> None:
        """Take the file, and which figures it lacks."""
        super().__init__(what, "unimplemented")


class NamespaceGoneError(KernelError):
    """The process or the name by which a namespace is entered does not exist any more."""


class NamespaceReplacedError(KernelError):
    """A known process or name leads to another namespace than before."""

    def __init__(self) -> None:
        super().__init__("another network namespace has taken the place of this one", "replaced")


class BrokerUnavailableError(KernelError):
    """The broker ended, or does not answer. The supervisor starts it again."""

    def __init__(self, what: str, why: str) -> None:
        """Take what the broker was asked for, and why there is no answer."""
        super().__init__(f"{what}: {why}", "broker")


class AccessHungError(KernelError):
    """A file could not be read in time: a file server in the network, or a FUSE server, does not answer."""

    def __init__(self, what: str) -> None:
        """Take what the file was read for."""
        super().__init__(what, "hung", errno.ETIMEDOUT)


class MalformedReplyError(KernelError):
    """The reply is not what the kernel's headers describe; nothing of it may be used."""

    def __init__(self, what: str) -> None:
        """Take what is wrong with the reply."""
        super().__init__(what, "malformed")


class ForeignDatagramError(KernelError):
    """A datagram came from another process than the kernel."""

    def __init__(self, sender: int) -> None:
        """Take the netlink port that sent it."""
        super().__init__(f"netlink datagram from port {sender}, not from the kernel", "forged")


def from_os_error(what: str, error: OSError) -> KernelError:
    """Return the KernelError for a system call that failed; `what` is what it was called for."""
    return from_errno(what, error.errno or 0)


def from_errno(what: str, number: int) -> KernelError:
    """Return the KernelError for an errno: an UnavailableError where another method may work."""
    kind = UnavailableError if number in _ABSENT else KernelError
    error = kind(what, reason_of(number), number)
    # strerror() refuses what is too large for a C int.
    if number in errno.errorcode:
        error.add_note(os.strerror(number))
    return error


def reason_of(number: int) -> str:
    """Return the name of an errno, such as ENOENT."""
    return errno.errorcode.get(number, f"errno_{number}")

"""Which error an errno becomes, and what its text and label are."""

from __future__ import annotations

import errno
import os

import pytest

from exporter.kernel.errors import (
    BrokerUnavailableError,
    KernelError,
    NamespaceGoneError,
    UnavailableError,
    from_errno,
    from_os_error,
)

ABSENT = [
    errno.ENOENT,
    errno.EINVAL,
    errno.EPERM,
    errno.EACCES,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EAFNOSUPPORT,
    errno.EPROTONOSUPPORT,
]
PASSING = [
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOBUFS,
    errno.EINTR,
    errno.EAGAIN,
    errno.ESRCH,
    errno.EIO,
]


@pytest.mark.parametrize("number", ABSENT)
def test_an_interface_that_does_not_exist_or_is_forbidden_is_unavailable(number: int) -> None:
    assert type(from_errno("cannot ask", number)) is UnavailableError


@pytest.mark.parametrize("number", PASSING)
def test_what_may_pass_is_a_kernel_error(number: int) -> None:
    assert type(from_errno("cannot ask", number)) is KernelError


@pytest.mark.parametrize("number", [*ABSENT, *PASSING])
def test_an_error_has_its_errno_by_name_and_by_number(number: int) -> None:
    error = from_os_error("cannot ask", OSError(number, os.strerror(number)))
    assert (error.errno, error.reason) == (number, errno.errorcode[number])
    assert str(error) == f"cannot ask: {errno.errorcode[number]}"
    assert error.__notes__ == [os.strerror(number)]


@pytest.mark.parametrize("number", [0, 4095, 2**31])
def test_an_unknown_errno_is_a_number(number: int) -> None:
    assert from_errno("cannot ask", number).reason == f"errno_{number}"


def test_a_lost_broker_has_the_reason_broker() -> None:
    error = BrokerUnavailableError("cannot list the processes", "the broker ended")
    assert (error.reason, error.errno) == ("broker", None)
    assert str(error) == "cannot list the processes: the broker ended: broker"


def test_a_namespace_that_is_gone_can_be_told_from_an_interface_that_is_not_there() -> None:
    assert not issubclass(NamespaceGoneError, UnavailableError)

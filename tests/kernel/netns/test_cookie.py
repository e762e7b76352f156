"""The cookie of a network namespace."""

from __future__ import annotations

import errno
import socket

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.cookie import have_cookies, namespace_cookie
from tests.broker.namespaced_process import NamespacedProcess, own_cookie
from tests.kernel.limits import no_free_descriptor


@pytest.mark.netns
def test_every_namespace_has_a_cookie_of_its_own() -> None:
    with socket.socket(socket.AF_UNIX) as channel, NamespacedProcess() as other:
        assert have_cookies()
        assert namespace_cookie(channel) == own_cookie() != other.cookie


def test_a_kernel_without_cookies_has_0() -> None:
    class Old(socket.socket):
        def getsockopt(self, *_: object) -> bytes:  # type: ignore[override]
            """Fail as a kernel before 5.14 does."""
            raise OSError(errno.ENOPROTOOPT, "getsockopt")

    with Old(socket.AF_UNIX) as channel:
        assert namespace_cookie(channel) == 0


def test_without_a_free_descriptor_it_is_a_kernel_error() -> None:
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        have_cookies()
    assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)

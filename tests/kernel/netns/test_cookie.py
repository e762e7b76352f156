"""The cookie of a network namespace."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError, NamespaceGoneError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.cookie import NO_COOKIE, have_cookies, namespace_cookie
from testbed import seccomp
from tests.broker.broker_processes import running_broker
from tests.broker.namespaced_process import NamespacedProcess, own_cookie
from tests.kernel.limits import no_free_descriptor

SO_NETNS_COOKIE = 71


@pytest.mark.netns
def test_every_namespace_has_a_cookie_of_its_own() -> None:
    if own_cookie() == NO_COOKIE:
        pytest.skip("the kernel has no cookies of namespaces (Linux 5.14)")
    with socket.socket(socket.AF_UNIX) as channel, NamespacedProcess() as other:
        assert have_cookies()
        assert namespace_cookie(channel) == own_cookie() != other.cookie


def test_a_kernel_without_cookies_has_0() -> None:
    class Old(socket.socket):
        def getsockopt(self, *_: object) -> bytes:  # type: ignore[override]
            """Fail as a kernel before 5.14 does."""
            raise OSError(errno.ENOPROTOOPT, "getsockopt")

    with Old(socket.AF_UNIX) as channel:
        assert namespace_cookie(channel) == NO_COOKIE
    assert not have_cookies(lambda _: NO_COOKIE)


@pytest.mark.netns
def test_without_cookies_namespaces_are_found_and_read(tmp_path: Path) -> None:
    """Each target can be told from a later one, by which nothing is read."""

    def read(channel: socket.socket) -> int:
        with pytest.raises(OSError, match="not available") as failed:
            channel.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        assert failed.value.errno == errno.ENOPROTOOPT
        return namespace_cookie(channel)

    with NamespacedProcess(81) as process, running_broker() as broker:
        started = process.started()
        seccomp.deny_socket_option(SO_NETNS_COOKIE, errno.ENOPROTOOPT)
        access = NamespaceAccess(broker, tmp_path, read_cookie=read)
        (target,) = (ref.target for ref in access.find(0.0) if ref.inode == process.inode)
        assert target == NamespaceTarget(process.pid, started, inode=process.inode)
        remote = access.namespace("a", target)
        for _, error in access.attach([(remote, ())]):
            assert error is None
        assert remote.attached
        assert remote.cookie == NO_COOKIE
        access.detach(remote)
        process.end()
        assert [type(error) for _, error in access.attach([(remote, ())])] == [NamespaceGoneError]


def test_without_a_free_descriptor_it_is_a_kernel_error() -> None:
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        have_cookies()
    assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)

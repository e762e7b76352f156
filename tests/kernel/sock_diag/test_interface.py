"""Names of network interfaces, and what happens where one cannot be read."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.diag_socket import DiagSockets, ForeignDatagrams, open_socket
from exporter.kernel.sock_diag.interface import InterfaceNames
from testbed import programs, seccomp, syscalls
from tests.broker.namespaced_process import descriptors
from tests.kernel.limits import no_free_descriptor

LOOPBACK = 1


def name_of(index: int) -> str:
    """Return the name of an interface of the own namespace."""
    return InterfaceNames(CachedSocket()).read([index])[index]


@pytest.mark.netns
@pytest.mark.parametrize("name", ["eth0", "we\udcffird", "x" * 15])
def test_every_interface_has_its_name(name: str) -> None:
    programs.output("ip", "link", "add", name, "type", "veth", "peer", "name", "peer")
    assert name_of(LOOPBACK) == "lo"
    assert name_of(socket.if_nametoindex(name)) == name


@pytest.mark.parametrize("index", [2**31 - 1, 2**31, 2**32 - 1])
def test_an_interface_that_is_gone_has_its_number(index: int) -> None:
    assert name_of(index) == f"if{index}"


class OneSocket(DiagSockets):
    """The same socket each time."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.acquired = 0

    def acquire(self) -> socket.socket:
        """Return it."""
        self.acquired += 1
        return self.channel

    def release(self, channel: socket.socket) -> None:
        """Leave it open."""
        assert channel is self.channel


@pytest.mark.netns
def test_the_namespace_is_that_of_the_socket_and_not_of_the_process() -> None:
    veth = ("type", "veth", "peer", "name")
    programs.output("ip", "link", "add", "here", "index", "70", *veth, "peer", "index", "71")
    with closing(open_socket(ForeignDatagrams())) as channel:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        programs.output("ip", "link", "add", "there", "index", "70", *veth, "other", "index", "72")
        sockets = OneSocket(channel)
        expected = {LOOPBACK: "lo", 70: "here", 71: "peer", 72: "if72"}
        assert InterfaceNames(sockets).read(expected.keys()) == expected
        assert sockets.acquired == 1
        assert name_of(70) == "there"


@pytest.mark.netns
def test_a_name_that_was_changed_is_read_anew() -> None:
    programs.output("ip", "link", "add", "old", "type", "veth", "peer", "name", "peer")
    index = socket.if_nametoindex("old")
    names = InterfaceNames(CachedSocket())
    assert names.read([index]) == {index: "old"}
    programs.output("ip", "link", "set", "old", "name", "new")
    assert names.read([index]) == {index: "new"}
    programs.output("ip", "link", "delete", "new")
    assert names.read([index]) == {index: f"if{index}"}


def test_for_no_interface_no_socket_is_opened() -> None:
    before = descriptors()
    sockets = CachedSocket()
    assert InterfaceNames(sockets).read([]) == {}
    assert descriptors() == before


@pytest.mark.netns
def test_where_no_descriptor_is_free_it_is_an_error() -> None:
    """With another name the listener would have the wrong labels."""
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        name_of(LOOPBACK)
    assert failed.value.errno == errno.EMFILE
    assert not isinstance(failed.value, UnavailableError)
    assert name_of(LOOPBACK) == "lo"


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTTY, errno.EOPNOTSUPP])
def test_where_it_may_not_be_read_it_has_its_number(number: int) -> None:
    """Listeners are read without it, as on a kernel that does not know the call."""
    seccomp.deny_call("ioctl", number)
    assert name_of(LOOPBACK) == "if1"

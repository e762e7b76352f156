"""Names of network interfaces, and what happens where one cannot be read."""

from __future__ import annotations

import errno
import socket

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.sock_diag.interface import interface_name
from testbed import programs, seccomp
from tests.kernel.limits import no_free_descriptor

LOOPBACK = 1


@pytest.mark.netns
@pytest.mark.parametrize("name", ["eth0", "we\udcffird", "x" * 15])
def test_every_interface_has_its_name(name: str) -> None:
    programs.output("ip", "link", "add", name, "type", "veth", "peer", "name", "peer")
    assert interface_name(LOOPBACK) == "lo"
    assert interface_name(socket.if_nametoindex(name)) == name


@pytest.mark.parametrize("index", [2**31 - 1, 2**31, 2**32 - 1])
def test_an_interface_that_is_gone_has_its_number(index: int) -> None:
    assert interface_name(index) == f"if{index}"


@pytest.mark.netns
def test_where_no_descriptor_is_free_it_is_an_error() -> None:
    """With another name the listener would have the wrong labels as long as it exists."""
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        interface_name(LOOPBACK)
    assert failed.value.errno == errno.EMFILE
    assert not isinstance(failed.value, UnavailableError)
    assert interface_name(LOOPBACK) == "lo"


@pytest.mark.netns
def test_where_it_may_not_be_read_it_has_its_number() -> None:
    """It never will be, and sock_diag works without it."""
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.EACCES)
    assert interface_name(LOOPBACK) == "if1"

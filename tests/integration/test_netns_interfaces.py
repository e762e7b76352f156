"""Listeners that are bound to an interface have the name that it has in their own network namespace."""

from __future__ import annotations

import signal
import socket

import pytest

from testbed import namespace, programs
from testbed.daemon import Daemon, running
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration.foreign_sender import Ready
from tests.integration.metric_values import figure
from tests.integration.other_namespaces import inside, only, watching

pytestmark = pytest.mark.netns

NAME = "qdhcp-1"
INDEX = 70
LINK_LOCAL = "fe80::5"


def add_interface(name: str, *where: str) -> None:
    """Add an interface with the index that others have elsewhere."""
    veth = ("type", "veth", "peer", "name", "peer")
    programs.output("ip", *where, "link", "add", name, "index", str(INDEX), *veth)
    # Without duplicate address detection, so that it can be used at once.
    programs.output("ip", *where, "address", "add", f"{LINK_LOCAL}/64", "dev", name, "nodad")
    programs.output("ip", *where, "link", "set", name, "up")


def listen(ready: Ready) -> None:
    """Listen at an address that only this interface has, and on the interface at every address."""
    with socket.socket(socket.AF_INET6) as first, socket.socket() as second:
        first.bind((LINK_LOCAL, 53, 0, INDEX))
        first.listen(32)
        name = socket.if_indextoname(INDEX).encode()
        second.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name + b"\0")
        second.bind(("0.0.0.0", 67))
        second.listen(5)
        ready()
        while True:
            signal.pause()


def addresses(daemon: Daemon, netns: str) -> set[str]:
    """The addresses of the TCP listeners of a namespace."""
    limits = daemon.metrics().all("listen_queue_accept_limit", netns=netns, protocol="tcp")
    return {dict(labels)["address"] for labels in limits}


def on(name: str) -> set[str]:
    """What `addresses` is where the interface has this name."""
    return {f"{LINK_LOCAL}%{name}", f"0.0.0.0%{name}"}


@pytest.mark.parametrize("keeps_open", [True, False])
def test_in_another_namespace_the_interface_has_its_name_there(keeps_open: bool) -> None:  # noqa: FBT001
    add_interface("br-ex")
    with Namespaces() as namespaces:
        made = namespaces.named(NAME)
        add_interface("tap0", "-n", NAME)
        with inside(made, listen), watching(only(NAME), keeps_open=keeps_open) as daemon:
            until(lambda: addresses(daemon, NAME), equals(on("tap0")))
            programs.output("ip", "link", "delete", "br-ex")
            programs.output("ip", "-n", NAME, "link", "set", "tap0", "down")
            programs.output("ip", "-n", NAME, "link", "set", "tap0", "name", "vnet1")
            until(lambda: addresses(daemon, NAME), equals(on("vnet1")))
            programs.output("ip", "-n", NAME, "link", "delete", "vnet1")
            until(lambda: addresses(daemon, NAME), equals(on(f"if{INDEX}")))
            assert figure(daemon, "exporter_source_success", source="inet", netns=NAME) == 1
            assert figure(daemon, "exporter_source_success", source="syn_recv", netns=NAME) == 1


def test_in_its_own_namespace_the_exporter_follows_the_name() -> None:
    namespace.hide_named()
    add_interface("tap0")
    with (
        socket.create_server(("127.0.0.1", 80)),
        socket.socket() as bound,
        running(config=only("host", enabled="false")) as daemon,
    ):
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tap0\0")
        bound.bind(("0.0.0.0", 67))
        bound.listen(5)
        until(lambda: addresses(daemon, "host") - {"0.0.0.0", "::"}, equals({"127.0.0.1", "0.0.0.0%tap0"}))
        programs.output("ip", "link", "set", "tap0", "down")
        programs.output("ip", "link", "set", "tap0", "name", "vnet1")
        until(lambda: addresses(daemon, "host") - {"0.0.0.0", "::"}, equals({"127.0.0.1", "0.0.0.0%vnet1"}))


def test_with_procfs_the_interface_is_not_known() -> None:
    """/proc/net/tcp does not show it."""
    add_interface("tap0")
    sampling = "interval: 10ms, cpu_budget: 50%, method: procfs"
    with Namespaces() as namespaces:
        made = namespaces.named(NAME)
        add_interface("tap0", "-n", NAME)
        with inside(made, listen), watching(only(NAME, sampling=sampling)) as daemon:

            def lengths() -> set[str]:
                found = daemon.metrics().all("listen_queue_accept_length", netns=NAME, protocol="tcp")
                return {dict(labels)["address"] for labels in found}

            until(lengths, equals({LINK_LOCAL, "0.0.0.0"}))

"""Every kind of listener has the same numbers on the page, in `show`, in `ss` and in /proc/net."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Interface
from pathlib import Path

import pytest

from testbed import flood
from testbed.daemon import running
from testbed.waiting import equals, until, until_equal
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import EAGER, until_figure
from tests.integration.reference import Endpoint

Kept = Sequence[socket.socket | flood.Tun]


def ipv4() -> Kept:
    idle = listening_sockets.tcp("0.0.0.0", 81, backlog=4096)
    busy = listening_sockets.tcp("127.0.0.1")
    return [idle, busy, *listening_sockets.clients(busy, 3)]


def ipv6() -> Kept:
    busy = listening_sockets.tcp("::1")
    return [busy, *listening_sockets.clients(busy, 3)]


def dual_stack() -> Kept:
    busy = listening_sockets.tcp("::")
    return [
        busy,
        *listening_sockets.clients(busy, 2, "127.0.0.1"),
        *listening_sockets.clients(busy, 1, "::1"),
    ]


def v6only() -> Kept:
    ipv6_only = listening_sockets.tcp("::", v6only=True)
    ipv4_only = listening_sockets.tcp("0.0.0.0")
    return [
        ipv6_only,
        ipv4_only,
        *listening_sockets.clients(ipv6_only, 2, "::1"),
        *listening_sockets.clients(ipv4_only, 1, "127.0.0.1"),
    ]


def mapped() -> Kept:
    busy = listening_sockets.tcp("::ffff:127.0.0.1")
    wildcard = listening_sockets.tcp("::ffff:0.0.0.0", 8081)
    return [
        busy,
        wildcard,
        *listening_sockets.clients(busy, 2, "127.0.0.1"),
        *listening_sockets.clients(busy, 1, "::ffff:127.0.0.1"),
        *listening_sockets.clients(wildcard, 1, "127.0.0.1"),
    ]


def mapped_beside_ipv4() -> Kept:
    """The kernel gives new connections to the IPv4 socket; those of the other one came before that."""
    first = listening_sockets.tcp("::ffff:127.0.0.1", backlog=5, reuse_port=True)
    waiting = listening_sockets.clients(first, 2, "127.0.0.1")
    second = listening_sockets.tcp("127.0.0.1", backlog=30, reuse_port=True)
    return [first, second, *waiting, *listening_sockets.clients(second, 3)]


def mapped_device_bound() -> Kept:
    bound = listening_sockets.tcp("::ffff:127.0.0.1", device="lo")
    return [bound, *listening_sockets.clients(bound, 2, "127.0.0.1")]


def mapped_mptcp() -> Kept:
    busy = listening_sockets.mptcp("::ffff:127.0.0.1")
    return [busy, *listening_sockets.clients(busy, 2)]


def link_local() -> Kept:
    device = flood.Tun()
    device.add_ipv6(IPv6Interface(f"{listening_sockets.LINK_LOCAL}/64"))
    busy = listening_sockets.tcp(f"{listening_sockets.LINK_LOCAL}%{device.name}")
    return [device, busy, *listening_sockets.clients(busy, 2)]


def device_bound() -> Kept:
    # The kernel lets the two share a port only with SO_REUSEPORT; the device still keeps them apart.
    bound = listening_sockets.tcp("0.0.0.0", device="lo", reuse_port=True)
    unbound = listening_sockets.tcp("0.0.0.0", reuse_port=True)
    both = listening_sockets.tcp("::", 8081, device="lo")
    waiting = [*listening_sockets.clients(bound, 2, "127.0.0.1"), *listening_sockets.clients(both, 1, "::1")]
    return [bound, unbound, both, *waiting]


def mptcp() -> Kept:
    busy = listening_sockets.mptcp("127.0.0.1")
    return [busy, *listening_sockets.clients(busy, 2)]


def reuse_port() -> Kept:
    group = [
        listening_sockets.tcp("127.0.0.1", backlog=backlog, reuse_port=True) for backlog in (30, 40, 50, 60)
    ]
    return [*group, *listening_sockets.clients(group[0], 20)]


def unix_path() -> Kept:
    busy = listening_sockets.unix(f"{Path.cwd()}/queue.sock")
    return [busy, *listening_sockets.clients(busy, 2)]


def unix_relative_path() -> Kept:
    busy = listening_sockets.unix("queue.sock")
    return [busy, *listening_sockets.clients(busy, 2)]


def unix_abstract() -> Kept:
    busy = listening_sockets.unix("\0queue")
    return [busy, *listening_sockets.clients(busy, 2)]


def unix_autobound() -> Kept:
    busy = listening_sockets.unix("")
    return [busy, *listening_sockets.clients(busy, 2)]


def unix_seqpacket() -> Kept:
    busy = listening_sockets.unix("\0queue", kind=socket.SOCK_SEQPACKET)
    return [busy, *listening_sockets.clients(busy, 2)]


LOOPBACK = Endpoint("tcp", "127.0.0.1", "8080")
ABSTRACT = Endpoint("unix", "@queue", "")

# What is made, and the places that must be on the page; None where the kernel chooses the name.
KINDS: list[tuple[Callable[[], Kept], set[Endpoint] | None]] = [
    (ipv4, {LOOPBACK, Endpoint("tcp", "0.0.0.0", "81")}),
    (ipv6, {Endpoint("tcp", "::1", "8080")}),
    (dual_stack, {Endpoint("tcp", "::", "8080")}),
    (v6only, {Endpoint("tcp", "::", "8080"), Endpoint("tcp", "0.0.0.0", "8080")}),
    (link_local, {Endpoint("tcp", "fe80::5%flood0", "8080")}),
    (
        device_bound,
        {
            Endpoint("tcp", "0.0.0.0%lo", "8080"),
            Endpoint("tcp", "0.0.0.0", "8080"),
            Endpoint("tcp", "::%lo", "8081"),
        },
    ),
    (mapped, {LOOPBACK, Endpoint("tcp", "0.0.0.0", "8081")}),
    (mapped_beside_ipv4, {LOOPBACK}),
    (mapped_device_bound, {Endpoint("tcp", "127.0.0.1%lo", "8080")}),
    (mptcp, {LOOPBACK}),
    (mapped_mptcp, {LOOPBACK}),
    (reuse_port, {LOOPBACK}),
    (unix_path, None),
    (unix_relative_path, None),
    (unix_abstract, {ABSTRACT}),
    (unix_autobound, None),
    (unix_seqpacket, {ABSTRACT}),
]


@pytest.mark.netns
@pytest.mark.parametrize(("make", "places"), [pytest.param(*kind, id=kind[0].__name__) for kind in KINDS])
def test_page_show_ss_and_proc_have_the_same_numbers(
    make: Callable[[], Kept], places: set[Endpoint] | None, tmp_path: Path
) -> None:
    os.chdir(tmp_path)
    with ExitStack() as open_sockets, running(config=EAGER) as daemon:
        for each in make():
            open_sockets.enter_context(each)
        page = until_equal(lambda: reference.from_page(daemon), reference.from_ss)
        until(reference.from_proc, equals(reference.as_in_proc(page)))
        until_equal(reference.from_show, reference.from_ss)
        own = Endpoint("tcp", "127.0.0.1", "10511")
        assert places is None or set(page) == places | {own}
        assert len(page) > 1


@pytest.mark.netns
def test_an_mptcp_listener_is_one_socket_and_says_what_it_is() -> None:
    plain = listening_sockets.tcp("127.0.0.1", 8081)
    with listening_sockets.mptcp("127.0.0.1"), plain, running(config=EAGER) as daemon:
        until_figure(daemon, 1, "listener_info", port="8080", mptcp="true")
        until_figure(daemon, 1, "sockets", port="8080")
        until_figure(daemon, 1, "listener_info", port="8081", mptcp="false")


@pytest.mark.netns
def test_a_listener_that_opens_and_one_that_closes_come_and_go() -> None:
    with running(config=EAGER) as daemon:
        for listener in (listening_sockets.tcp("127.0.0.1"), listening_sockets.unix("\0queue")):
            until_equal(lambda: reference.from_page(daemon), reference.from_ss)
            listener.close()
        page = until_equal(lambda: reference.from_page(daemon), reference.from_ss)
        assert len(page) == 1

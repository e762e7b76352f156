"""Half-open connections: how many there are, and how many the kernel admits."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from testbed import flood, namespace
from testbed.daemon import Daemon, running
from testbed.waiting import until
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import EAGER, figure, until_figure

FLOOD = 20_000
# The kernel keeps the connections for four minutes, and not for one: a busy machine may need that long.
RETRIES = 7
ADDRESSES = pytest.mark.parametrize(
    "address", [listening_sockets.TUN_IPV4, listening_sockets.TUN_IPV6, listening_sockets.TUN_MAPPED]
)


@pytest.mark.netns
@ADDRESSES
@pytest.mark.fault(
    "20,000 half-open connections",
    "counted to the last, with peak and limit, and none of them at another listener",
)
def test_twenty_thousand_syn_recv_connections_are_counted_to_the_last(address: str) -> None:
    namespace.write_sysctl("net.core.somaxconn", 2 * FLOOD)
    namespace.write_sysctl("net.ipv4.tcp_synack_retries", RETRIES)
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(address, backlog=2 * FLOOD),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, address, 8080, FLOOD)
        until_figure(daemon, FLOOD, "syn_recv", port="8080")
        assert reference.syn_recv() == FLOOD
        until_figure(daemon, 2 * FLOOD + 1, "syn_recv_limit", port="8080")
        assert figure(daemon, "syn_recv_peak", port="8080") == FLOOD
        assert figure(daemon, "syn_recv_unmatched") == 0
        assert figure(daemon, "syn_recv", port="10511") == 0
        assert figure(daemon, "accept_length", port="8080") == 0


@pytest.mark.netns
@ADDRESSES
@pytest.mark.fault(
    "20,000 half-open connections at one of two listeners, then 700 at the other",
    "each has its own, counted without a walk",
)
def test_counted_by_references_they_are_the_same(address: str) -> None:
    """Which is the cheaper way where connections are many, and right for each of two listeners."""
    namespace.write_sysctl("net.core.somaxconn", 2 * FLOOD)
    namespace.write_sysctl("net.ipv4.tcp_synack_retries", RETRIES)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        for port in (8080, 8081):
            stack.enter_context(listening_sockets.tcp(address, port, backlog=2 * FLOOD))
        flood.syn_flood(tun, address, 8080, FLOOD)
        daemon = stack.enter_context(running(config=EAGER))
        until_figure(daemon, 1, "exporter_source_info", source="syn_recv", method="refcount")
        flood.syn_flood(tun, address, 8081, 700)
        until_figure(daemon, 700, "syn_recv", port="8081")
        assert figure(daemon, "syn_recv", port="8080") == FLOOD
        assert figure(daemon, "exporter_source_info", source="syn_recv", method="refcount") == 1
        assert figure(daemon, "exporter_refcount_disagreements_total") == 0


@pytest.mark.netns
@pytest.mark.parametrize(
    ("address", "backlog"), [(listening_sockets.TUN_IPV4, 0), (listening_sockets.TUN_IPV6, 100)]
)
@pytest.mark.fault(
    "more half-open connections than the backlog takes, with SYN cookies",
    "count and limit are those from which on the kernel sends cookies, which are counted too",
)
def test_with_cookies_the_kernel_stops_at_backlog_plus_one(address: str, backlog: int) -> None:
    namespace.write_sysctl("net.ipv4.tcp_max_syn_backlog", 16)
    with flood.Tun() as tun, listening_sockets.tcp(address, backlog=backlog), running(config=EAGER) as daemon:
        flood.syn_flood(tun, address, 8080, 500)
        _expect_count_at_limit(daemon, backlog + 1)
        until_figure(daemon, 500 - (backlog + 1), "netns_syncookies_sent_total")
        until_figure(daemon, 500 - (backlog + 1), "netns_syn_queue_full_cookies_total")
        until_figure(daemon, 1, "threshold_exceeded", port="8080", queue="syn_recv", severity="critical")


@pytest.mark.netns
@pytest.mark.parametrize(
    ("address", "most"),
    [
        (listening_sockets.TUN_IPV6, 64),
        *((listening_sockets.TUN_IPV4, most) for most in (1, 3, 133, 134, 1024)),
    ],
)
@pytest.mark.fault(
    "more half-open connections than the backlog or tcp_max_syn_backlog takes, without SYN cookies",
    "count and limit are what the kernel admits",
)
def test_without_cookies_the_limit_is_what_the_kernel_admits(address: str, most: int) -> None:
    """Whether tcp_max_syn_backlog binds (a backlog of 100 lies in between), or the listener's own backlog."""
    namespace.write_sysctl("net.ipv4.tcp_syncookies", 0)
    namespace.write_sysctl("net.ipv4.tcp_max_syn_backlog", most)
    with flood.Tun() as tun, listening_sockets.tcp(address, backlog=100), running(config=EAGER) as daemon:
        flood.syn_flood(tun, address, 8080, 300)
        admitted = reference.syn_recv()
        assert 1 <= admitted <= 101
        _expect_count_at_limit(daemon, admitted)


@pytest.mark.netns
@pytest.mark.parametrize("cookies", [0, 1])
@pytest.mark.fault(
    "the same at three sockets of one port, with SYN cookies and without",
    "the limit is the sum of what each socket admits",
)
def test_the_limit_of_a_group_is_the_sum_of_what_each_member_admits(cookies: int) -> None:
    namespace.write_sysctl("net.ipv4.tcp_syncookies", cookies)
    namespace.write_sysctl("net.ipv4.tcp_max_syn_backlog", 40)
    with ExitStack() as stack, flood.Tun() as tun:
        for backlog in (10, 20, 200):
            stack.enter_context(
                listening_sockets.tcp(listening_sockets.TUN_IPV4, backlog=backlog, reuse_port=True)
            )
        with running(config=EAGER) as daemon:
            # Each member gets about a third, which is several times what it admits.
            flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 2000)
            _expect_count_at_limit(daemon, 11 + 21 + (201 if cookies else 31))


@pytest.mark.netns
@pytest.mark.fault(
    "half-open connections while every client gets a SYN cookie (tcp_syncookies is 2)",
    "none is shown, the cookies are counted, and the setting is on the page",
)
def test_always_cookies_leave_no_syn_recv_connection() -> None:
    namespace.write_sysctl("net.ipv4.tcp_syncookies", 2)
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 50)
        # Scrapes get cookies as well.
        until(
            lambda: figure(daemon, "netns_syncookies_sent_total"),
            lambda sent: sent is not None and sent >= 50,
        )
        assert figure(daemon, "syn_recv", port="8080") == 0
        until_figure(daemon, 2, "sysctl_net_ipv4_tcp_syncookies")


@pytest.mark.netns
@pytest.mark.fault(
    "half-open connections that the kernel gives up",
    "they leave the page, and the peak stays",
)
def test_a_flood_is_gone_from_the_page_when_it_is_gone_from_the_kernel() -> None:
    """The peak stays, for as long as its window is. The kernel keeps the connections for three seconds."""
    namespace.write_sysctl("net.ipv4.tcp_synack_retries", 1)
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 10)
        until_figure(daemon, 10, "syn_recv_peak", port="8080")
        until_figure(daemon, 0, "syn_recv", port="8080")
        assert reference.syn_recv() == 0
        assert figure(daemon, "syn_recv_peak", port="8080") == 10


def _expect_count_at_limit(daemon: Daemon, admitted: int) -> None:
    def both() -> tuple[float | None, ...]:
        # The kernel gives up connections of a full queue after 7 seconds; the peak stays.
        return tuple(figure(daemon, name, port="8080") for name in ("syn_recv_peak", "syn_recv_limit"))

    until(both, lambda found: found == (admitted, admitted))
    until_figure(daemon, 0, "syn_recv_unmatched")

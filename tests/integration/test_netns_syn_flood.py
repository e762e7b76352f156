"""A SYN flood in one of many namespaces, with the default budget, whatever the others do."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from testbed import flood, namespace
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import only, watching

ADDRESS = listening_sockets.TUN_IPV4
SYNS = 3000
# More than half of it would be given up early.
BACKLOG = 3 * SYNS
OTHERS = 12


@pytest.mark.netns
@pytest.mark.fault(
    "3,000 half-open connections in one of 13 network namespaces, while connections wait in the others",
    "counted to the last, and none of them in another namespace",
)
def test_it_is_counted_exactly_while_connections_wait_and_come_in_the_others() -> None:
    with Namespaces() as namespaces, ExitStack() as stack:
        flooded = namespaces.container()
        others = [namespaces.container() for _ in range(OTHERS)]
        names = [str(each.inode) for each in (flooded, *others)]
        with reference.within(flooded.pid):
            namespace.write_sysctl("net.core.somaxconn", BACKLOG)
            namespace.write_sysctl("net.ipv4.tcp_synack_retries", 7)
            tun = stack.enter_context(flood.Tun())
        flooded.listen_tcp(8080, backlog=BACKLOG)
        flooded.listen_tcp(8081, host="::1")
        for each in others:
            each.listen_tcp(8080, 8081)
            each.listen_tcp(8082, host="::1")
        daemon = stack.enter_context(watching(only(*names, sampling="cpu_budget: 2%")))
        for name in names:
            until_figure(daemon, 0, "syn_recv", netns=name, port="8080")
        for each in others:
            each.fill_tcp(8080, 2)
        flood.syn_flood(tun, ADDRESS, 8080, SYNS)
        until_figure(daemon, SYNS, "syn_recv", netns=names[0], port="8080")
        flood.syn_flood(tun, ADDRESS, 8080, 7, first=SYNS)
        until_figure(daemon, SYNS + 7, "syn_recv", netns=names[0], port="8080")
        page = daemon.metrics()
        counted = {labels: count for labels, count in page.all("listen_queue_syn_recv").items() if count}
        assert list(counted.values()) == [SYNS + 7]
        assert set(page.all("listen_queue_exporter_refcount_disagreements_total").values()) == {0}
        assert set(page.all("listen_queue_syn_recv_unmatched").values()) == {0}


@pytest.mark.netns
def test_how_long_the_oldest_waits_is_known_in_each_of_many_namespaces() -> None:
    """They are found by a walk each, of which there is one in a tick at most where walks are dear."""
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(OTHERS)]
        names = [str(each.inode) for each in made]
        with watching(only(*names, sampling="cpu_budget: 2%")) as daemon:
            for each in made:
                each.listen_tcp(8080)
                each.fill_tcp(8080, 2)

            def known() -> list[bool]:
                page = daemon.metrics()
                found = [
                    page.all("listen_queue_accept_oldest_wait_seconds", netns=name, port="8080")
                    for name in names
                ]
                return [bool(each) and max(each.values()) >= 2.0 for each in found]

            until(known, equals([True] * OTHERS))
            assert figure(daemon, "exporter_sample_errors_total", source="oldest_wait") is None

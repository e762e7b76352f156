"""Namespaces with equal addresses and ports: what happens in one moves nothing of the others."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from testbed import flood, namespace
from testbed.netns import Namespaces
from testbed.waiting import until, until_equal
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import only, watching
from tests.integration.reference import Endpoint
from tests.integration.test_drops import COUNTERS, SYSCTLS, in_proc, overflow
from tests.integration.test_netns_values import FAST, in_kernel, numbers, on_page


@pytest.mark.netns
def test_a_flood_shows_in_its_own_namespace_only() -> None:
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        made = [namespaces.container() for _ in range(3)]
        for each in made:
            each.listen_tcp(8080, 8081)
        names = numbers(made)
        daemon = stack.enter_context(watching(only(*names, sampling=FAST)))
        # The same device and addresses everywhere.
        devices = []
        for each in made:
            with reference.within(each.pid):
                devices.append(stack.enter_context(flood.Tun()))
        flood.syn_flood(devices[-1], listening_sockets.TUN_IPV4, 8080, 77)
        until_figure(daemon, 77, "syn_recv", netns=names[-1], port="8080")
        page = until(
            daemon.metrics, lambda page: set(page.all("listen_queue_syn_recv_unmatched").values()) == {0}
        )
        counts = {
            (dict(labels)["netns"], dict(labels)["port"]): value
            for labels, value in page.all("listen_queue_syn_recv").items()
            if value
        }
        assert counts == {(names[-1], "8080"): 77}


@pytest.mark.netns
def test_counters_and_sysctls_are_those_of_each_namespace() -> None:
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        made = [namespaces.container() for _ in range(3)]
        names = numbers(made)
        for number, each in enumerate(made):
            with reference.within(each.pid):
                for name, value in SYSCTLS.items():
                    namespace.write_sysctl(name, value + number if value > 1 else number % 2)
                # As much as somaxconn allows here.
                stack.enter_context(listening_sockets.tcp("127.0.0.1", 9090, backlog=5000))
                victim = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=0))
                overflow(victim, stack, refused=number)
        daemon = stack.enter_context(watching(only(*names, sampling=FAST)))

        def counters_on_page() -> dict[str, dict[str, float]]:
            page = daemon.metrics()
            return {
                name: {
                    counter: page.value(f"listen_queue_netns_{ours}_total", netns=name)
                    for counter, ours in COUNTERS.items()
                    if page.all(f"listen_queue_netns_{ours}_total", netns=name)
                }
                for name in names
            }

        def counters_in_kernel() -> dict[str, dict[str, float]]:
            found = {}
            for each in made:
                with reference.within(each.pid):
                    found[str(each.inode)] = in_proc()
            return found

        found = until_equal(counters_on_page, counters_in_kernel)
        assert found[names[0]]["ListenOverflows"] == 0
        assert found[names[2]]["ListenOverflows"] >= 2
        for number, name in enumerate(names):
            for sysctl, value in SYSCTLS.items():
                wanted = value + number if value > 1 else number % 2
                until_figure(daemon, wanted, f"sysctl_{sysctl.replace('.', '_')}", netns=name)
            until_figure(daemon, 999 + number, "accept_limit", netns=name, port="9090")


@pytest.mark.netns
def test_what_overflows_moves_its_own_figures_and_those_of_no_twin() -> None:
    """Two listeners in each of two namespaces, with equal addresses and ports."""
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        made = [namespaces.container(process=name) for name in ("one", "two")]
        opened = {}
        for each in made:
            with reference.within(each.pid):
                opened[each.pid] = [
                    listening_sockets.tcp("127.0.0.1", port, backlog=0) for port in (8080, 8081)
                ]
        for listener in (listener for both in opened.values() for listener in both):
            stack.enter_context(listener)
        names = numbers(made)
        daemon = stack.enter_context(watching(only(*names, sampling=FAST)))
        for name in names:
            until_figure(daemon, 0, "accept_length", netns=name, port="8081")
        with reference.within(made[0].pid):
            overflow(opened[made[0].pid][0], stack, refused=4)
        victim = {"netns": names[0], "port": "8080"}
        until(lambda: figure(daemon, "accept_full_seconds_total", **victim) or 0, lambda full: full > 0.2)
        found = until_equal(lambda: on_page(daemon.metrics(), names), lambda: in_kernel(made))
        assert (found[names[0]][Endpoint("tcp", "127.0.0.1", "8080")].drops or 0) >= 4

        def of_victim() -> set[float | None]:
            return {
                figure(daemon, "drops_total", **victim),
                figure(daemon, "netns_listen_drops_total", netns=names[0]),
                figure(daemon, "netns_listen_overflows_total", netns=names[0]),
            }

        until(of_victim, lambda found: len(found) == 1 and found != {None})
        page = daemon.metrics()
        for updated in (
            "accept_length",
            "accept_peak_length",
            "accept_peak_utilization_ratio",
            "accept_full_seconds_total",
            "drops_total",
        ):
            series = {
                (dict(labels)["netns"], dict(labels)["port"])
                for labels, value in page.all(f"listen_queue_{updated}").items()
                if value and ("netns", "host") not in labels
            }
            assert series == {(names[0], "8080")}, updated
        for name in (names[1], "host"):
            assert page.value("listen_queue_netns_listen_drops_total", netns=name) == 0
            assert page.value("listen_queue_netns_listen_overflows_total", netns=name) == 0

"""A real Prometheus scrapes the exporter, and its queries return what the kernel has."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.prometheus import Prometheus
from testbed.waiting import equals, until
from tests.integration import hostile_names, listening_sockets
from tests.integration.metric_values import EAGER
from tests.integration.service import Service

pytestmark = pytest.mark.usefixtures("monitoring_release")


@pytest.mark.netns
def test_queries_return_the_figures_of_each_listener(tmp_path: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=9))
        stack.enter_context(running(config=EAGER))
        server = stack.enter_context(Prometheus(tmp_path))
        for client in listening_sockets.clients(listener, 10):
            stack.enter_context(client)
        labels = '{netns="host",protocol="tcp",address="127.0.0.1",port="8080"}'
        for expression, wanted in (
            (f"listen_queue_accept_length{labels}", 10),
            (f"listen_queue_accept_limit{labels}", 9),
            (f"listen_queue_accept_utilization_ratio{labels}", 1),
            (f"listen_queue_syn_recv{labels}", 0),
            (f"listen_queue_syn_recv_limit{labels}", 10),
            ('listen_queue_threshold_exceeded{port="8080",queue="accept",severity="critical"}', 1),
            ("listen_queue_sysctl_net_core_somaxconn", float(_somaxconn())),
            ("count(listen_queue_exporter_source_success == 0)", None),
            ('up{job="exporter"}', 1),
        ):
            until(partial(server.value, expression), equals(wanted))
        rate = f"rate(listen_queue_accept_full_seconds_total{labels}[5s])"
        # All of the time; Prometheus extrapolates to the ends of the range.
        until(lambda: server.value(rate), lambda found: found is not None and 0.8 < found < 1.2)
        quantile = (
            f"histogram_quantile(0.5, rate(listen_queue_accept_sampled_utilization_ratio_bucket{labels}[5s]))"
        )
        until(lambda: server.value(quantile), lambda found: found == 0.999)


@pytest.mark.netns
def test_labels_of_any_bytes_arrive_and_can_be_queried(tmp_path: Path) -> None:
    every = list(hostile_names.ABSTRACT)
    with (
        Service(hostile_names.PROCESS, lambda: [listening_sockets.unix(b"\0" + name, 7) for name in every]),
        running(config=EAGER),
        Prometheus(tmp_path) as server,
    ):
        series = 'listen_queue_accept_limit{protocol="unix"}'
        until(lambda: server.label_values("address", series), equals(set(hostile_names.ABSTRACT.values())))
        until(lambda: server.label_values("process", series), equals({hostile_names.PROCESS_LABEL}))
        for label in hostile_names.ABSTRACT.values():
            quoted = label.replace("\\", "\\\\").replace('"', '\\"')
            # A scrape that took longer than the timeout makes all series stale until the next one.
            until(partial(server.value, f'listen_queue_accept_limit{{address="{quoted}"}}'), equals(7))
        until(
            lambda: [(each["health"], each["lastError"]) for each in server.targets()], equals([("up", "")])
        )


@pytest.mark.netns
def test_a_listener_that_is_gone_leaves_queries_at_the_next_scrape(tmp_path: Path) -> None:
    """Prometheus marks series stale that are missing from a page, so no alert hangs on for five minutes."""
    with ExitStack() as stack:
        stack.enter_context(running(config=EAGER))
        server = stack.enter_context(Prometheus(tmp_path))
        listener = listening_sockets.tcp("127.0.0.1")
        lengths = partial(server.query, 'listen_queue_accept_length{port=~"8080|10511"}')
        until(lambda: ports(lengths()), equals({"8080", "10511"}))
        listener.close()
        until(lambda: ports(lengths()), equals({"10511"}))


def ports(found: dict[frozenset[tuple[str, str]], float]) -> set[str]:
    """The label `port` of every series of an instant vector."""
    return {dict(labels)["port"] for labels in found}


def _somaxconn() -> int:
    return int(Path("/proc/sys/net/core/somaxconn").read_text())

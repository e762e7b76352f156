"""AF_NETLINK is refused while the exporter runs, as by a filter that a runtime changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed import seccomp
from testbed.page import Page
from testbed.waiting import equals, until
from tests.faults.told_exporter import ToldExporter
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled
from tests.integration.test_source_failures import families

pytestmark = pytest.mark.netns

SOURCES = ("inet", "unix", "syn_recv")
CLIENTS = "/api/v1/listeners?clients=5&port=8080"


def config(method: str) -> str:
    return (
        f"sampling: {{interval: 10ms, cpu_budget: 100%, method: {method}}}\n"
        "namespaces: {enabled: false}\ndefaults: {export: full}\n"
    )


def methods(page: Page) -> set[str]:
    """How the listeners are read."""
    found = page.all("listen_queue_exporter_source_info", source="inet")
    return {dict(labels)["method"] for labels, value in found.items() if value == 1}


def check_open_sockets(exporter: ToldExporter, length: int) -> None:
    """Fail where a page has another length, or not all that sock_diag tells."""
    until_figure(exporter, length, "accept_length", port="8080")
    until_sampled(exporter, "inet", 20)
    page = exporter.metrics()
    assert methods(page) == {"sock_diag"}
    assert page.value("listen_queue_accept_limit", port="8080") == 16
    assert page.value("listen_queue_accept_length", address="@queue") == 0
    for source in SOURCES:
        assert page.value("listen_queue_exporter_source_success", source=source, netns="host") == 1


def take_open_socket(exporter: ToldExporter) -> None:
    """Ask who waits: the socket that is open is used for that, so that samples need another."""
    assert exporter.request(CLIENTS).status == 200


@pytest.mark.parametrize("method", ["auto", "sock_diag"])
@pytest.mark.fault(
    "a seccomp filter that refuses AF_NETLINK is installed while the exporter runs",
    "figures go on from the sockets that are open; where one is opened anew, what is not seen is said",
)
def test_a_filter_in_mid_run(method: str, tmp_path: Path) -> None:
    seccomp.require()
    with (
        listening_sockets.tcp("127.0.0.1") as listener,
        listening_sockets.unix("\0queue"),
        ToldExporter(tmp_path, config=config(method)).wait_ready() as exporter,
    ):
        clients = listening_sockets.clients(listener, 2)
        check_open_sockets(exporter, 2)
        exporter.tell("refuse", "EPERM")
        clients += listening_sockets.clients(listener, 1)
        check_open_sockets(exporter, 3)
        take_open_socket(exporter)
        clients += listening_sockets.clients(listener, 1)
        if method == "auto":
            until_figure(exporter, 4, "accept_length", port="8080")
            until(lambda: methods(exporter.metrics()), equals({"procfs"}))
            # /proc has none of it.
            lacking = ("accept_limit", "drops_total", "accept_utilization_ratio")
            until(lambda: families(exporter.metrics(), lacking), equals(set()))
            until_figure(exporter, 1, "exporter_source_success", source="inet", netns="host")
        else:
            until_figure(exporter, 0, "exporter_source_success", source="inet", netns="host")
            # Half-open connections are counted by /proc for some seconds until a walk has to confirm them.
            until(lambda: families(exporter.metrics()), equals(set()))
            assert methods(exporter.metrics()) == {"sock_diag"}
            assert (figure(exporter, "exporter_sample_errors_total", source="inet", reason="EPERM") or 0) > 0
            exporter.wait_for_log("source failed")
        assert exporter.request("/-/healthy").status == 200
        assert exporter.stop() == 0
        for client in clients:
            client.close()

"""What is on the page, and what leaves it."""

from __future__ import annotations

import pytest
from prometheus_client import ProcessCollector

from exporter.config.model import Export
from exporter.kernel.errors import KernelError
from exporter.kernel.family import FAMILIES, SocketFamily
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.metrics.series_count import series_count
from testbed.page import Page as Read
from tests.listeners.sockets import tcp
from tests.metrics.sample_host import TICK_SECONDS, page_of, read, values
from tests.sampling.simulation import Simulation

FAILED = KernelError("dump failed", "ENOBUFS")
LENGTH = "listen_queue_accept_length"
PEAK_LENGTH = "listen_queue_accept_peak_length"
HISTOGRAM = "listen_queue_accept_sampled_utilization_ratio_bucket"
SUCCESS = "listen_queue_exporter_source_success"
PUBLISHED = "listen_queue_exporter_listeners"


def names_of(found: Read, **labels: str) -> set[str]:
    """The names of all samples that have at least these labels."""
    return {key[0] for key in found.samples if labels.items() <= key[1]}


def test_listeners_whose_source_failed_leave_the_page(host: Simulation, page: Page) -> None:
    """None of their figures stays, and nothing reads as zero."""
    assert names_of(read(page), protocol="tcp")
    host.kernel.tcp.error = FAILED
    host.tick(1, TICK_SECONDS)
    found = read(page)
    assert names_of(found, protocol="tcp") == set()
    assert found.value(LENGTH, address="/run/php/fpm.sock") == 128.0
    assert found.value(SUCCESS, source="inet") == 0.0
    assert found.value(SUCCESS, source="unix") == 1.0
    host.kernel.tcp.error = None
    host.tick(1, TICK_SECONDS)
    assert read(page).value(LENGTH, address="0.0.0.0") == 5.0


def test_failed_unix_source_leaves_tcp(host: Simulation, page: Page) -> None:
    host.kernel.unix.error = FAILED
    host.tick(1, TICK_SECONDS)
    found = read(page)
    assert names_of(found, protocol="unix") == set()
    assert names_of(found, protocol="tcp") != set()


def test_failed_syn_recv_source_takes_its_figures_only(host: Simulation, page: Page) -> None:
    before = names_of(read(page))
    host.kernel.syn_recv_dump.error = FAILED
    host.tick(2, TICK_SECONDS)
    found = read(page)
    gone = {"listen_queue_syn_recv", "listen_queue_syn_recv_limit", "listen_queue_syn_recv_peak"}
    assert before - names_of(found) == gone | {"listen_queue_syn_recv_unmatched"}
    exceeded = found.all("listen_queue_threshold_exceeded", protocol="tcp")
    assert {dict(labels)["queue"] for labels in exceeded} == {"accept"}


def test_failed_wait_source_takes_its_figures_only(host: Simulation, page: Page) -> None:
    before = names_of(read(page))
    host.kernel.oldest_wait.error = FAILED
    host.tick(8, TICK_SECONDS)
    waits = {f"listen_queue_accept_wait_seconds_{part}" for part in ("bucket", "count", "sum")}
    assert before - names_of(read(page)) == {"listen_queue_accept_oldest_wait_seconds"} | waits


def test_failed_counters_leave_the_page(host: Simulation, page: Page) -> None:
    before = names_of(read(page))
    host.kernel.netstat.error = FAILED
    host.tick(8, TICK_SECONDS)
    gone = before - names_of(read(page))
    assert len(gone) == 11
    assert all(name.startswith(("listen_queue_netns_", "listen_queue_sysctl_")) for name in gone)


def test_stale_page_has_no_listener(host: Simulation, page: Page) -> None:
    """A sampler that hangs leaves nothing that looks fresh, and every source reads 0."""
    host.clock.now += 6.0
    found = read(page)
    assert all(name.startswith("listen_queue_exporter_") for name in names_of(found, netns="host"))
    assert found.value(PUBLISHED) == 0.0
    asked = {dict(labels)["source"] for labels, value in found.all(SUCCESS).items() if value == 0.0}
    assert {"inet", "unix", "netstat", "syn_recv", "oldest_wait"} <= asked


def test_family_keeps_its_help_while_it_has_no_series(host: Simulation, page: Page) -> None:
    host.kernel.tcp.error = host.kernel.unix.error = FAILED
    host.tick(1, TICK_SECONDS)
    family = read(page).families[LENGTH]
    assert (family.type, family.samples) == ("gauge", [])


def test_procfs_has_lengths_and_nothing_that_needs_a_limit(host: Simulation, page: Page) -> None:
    """A threshold in per cent cannot be compared, so it has no series; one in connections can."""
    host.kernel.tcp.change_to_procfs()
    host.tick(1, TICK_SECONDS)
    found = read(page)
    assert found.value(LENGTH, address="0.0.0.0") == 5.0
    for name in (
        "listen_queue_drops_total",
        "listen_queue_accept_limit",
        "listen_queue_accept_utilization_ratio",
        "listen_queue_accept_peak_utilization_ratio",
        "listen_queue_accept_full_seconds_total",
        "listen_queue_syn_recv_limit",
        HISTOGRAM,
        "listen_queue_accept_wait_seconds_bucket",
    ):
        assert found.all(name, protocol="tcp") == {}, name
    compared = found.all("listen_queue_threshold_exceeded", address="0.0.0.0", queue="accept")
    assert {dict(labels)["severity"] for labels in compared} == {"warning"}
    assert found.value("listen_queue_exporter_source_info", source="inet", method="procfs") == 1.0


def test_full_series_can_be_switched_off_and_lose_nothing(host: Simulation, page: Page) -> None:
    before = read(page).all(HISTOGRAM)
    host.configure("defaults: {export: lean}")
    assert read(page).all(HISTOGRAM) == {}
    host.configure("defaults: {export: full}")
    assert read(page).all(HISTOGRAM, port="5432") == {
        labels: value for labels, value in before.items() if ("port", "5432") in labels
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.protocol))
@pytest.mark.parametrize("export", Export)
def test_a_listener_has_as_many_series_as_its_rule_exports(
    host: Simulation, page: Page, family: SocketFamily, export: Export
) -> None:
    """On the page as by the declarations, from which check-config prints them."""
    host.configure(f"defaults: {{export: {export}}}")
    address = {"tcp": "0.0.0.0", "unix": "/run/php/fpm.sock"}[family.protocol]
    series = [key for key in read(page).samples if ("address", address) in key[1]]
    assert len(series) == series_count(export, syn_queue=family.has_syn_queue)
    most = {"tcp": 15, "unix": 9}[family.protocol]
    assert len(series) <= {Export.NONE: 0, Export.LEAN: most, Export.FULL: 44}[export]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.protocol))
@pytest.mark.parametrize("export", Export)
def test_a_folded_listener_has_as_many_series_as_any_other(
    host: Simulation, page: Page, family: SocketFamily, export: Export
) -> None:
    """Also one without half-open connections. Its oldest wait is known a second later."""
    host.kernel.syn_recv_dump.counts = {}
    host.tick(8, TICK_SECONDS)
    host.configure(f"defaults: {{export: {export}}}\nrules: [{{name: folded, fold: true}}]")
    host.tick(12, TICK_SECONDS)
    address, port, process = {"tcp": ("0.0.0.0", "*", "nginx"), "unix": ("*", "", "php-fpm")}[family.protocol]
    labels = {("address", address), ("port", port), ("process", process)}
    series = [key for key in read(page).samples if labels <= key[1]]
    assert len(series) == series_count(export, syn_queue=family.has_syn_queue)


def test_rules_and_defaults_export_different_series(host: Simulation, page: Page) -> None:
    host.configure("defaults: {export: full}\nrules: [{name: web, match: {port: 80}, export: lean}]")
    ports = {dict(labels)["port"] for labels in read(page).all(PEAK_LENGTH)}
    assert ports == {"5432", "53", ""}
    assert values(page, LENGTH, "port").keys() == {"80", "5432", "53", ""}


def test_labels_of_the_configuration_stand_on_every_series(host: Simulation, page: Page) -> None:
    """What is not known of an owner is an empty label."""
    host.configure("labels: [process, user, container]")
    found = read(page)
    assert found.value(LENGTH, port="80", process="nginx", user="root", container="") == 5.0
    of_listeners = [dict(key[1]) for key in found.samples if "address" in dict(key[1])]
    assert all({"process", "user", "container"} <= labels.keys() for labels in of_listeners)
    host.configure("labels: []")
    found = read(page)
    assert {frozenset(dict(labels)) for labels in found.all(LENGTH)} == {
        frozenset({"netns", "protocol", "address", "port"})
    }


def test_label_follows_the_owner(host: Simulation, page: Page) -> None:
    """The text of labels is kept, and written again when the owner becomes known."""
    host.kernel.tcp.open(tcp(9, port=99))
    host.tick(1, TICK_SECONDS)
    assert read(page).value(LENGTH, port="99", process="") == 0.0
    host.host.run(90, b"late", 900)
    host.tick(41, TICK_SECONDS)
    assert read(page).value(LENGTH, port="99", process="late") == 0.0


def test_other_program_at_the_same_address_has_series_of_its_own(host: Simulation, page: Page) -> None:
    host.host.run(90, b"other", 900)
    host.kernel.tcp.close(1, 2)
    host.kernel.tcp.open(tcp(9), length=1)
    host.tick(2, TICK_SECONDS)
    assert values(page, LENGTH, "port")["80"] == 1.0
    assert read(page).value("listen_queue_accept_full_seconds_total", port="80", process="other") == 0.0


def test_mptcp_of_the_info_series_follows_the_socket(host: Simulation, page: Page) -> None:
    name = "listen_queue_listener_info"
    assert read(page).value(name, port="5432", mptcp="true") == 1.0
    host.kernel.mptcp = frozenset()
    host.kernel.tcp.open(tcp(9, port=99))
    host.tick(1, TICK_SECONDS)
    assert read(page).value(name, port="5432", mptcp="false") == 1.0


def test_rule_of_the_info_series_follows_the_configuration(host: Simulation, page: Page) -> None:
    name = "listen_queue_listener_info"
    assert read(page).value(name, port="80", rule="edge") == 1.0
    host.configure("rules: [{name: web, match: {port: 80}}]")
    assert read(page).value(name, port="80", rule="web") == 1.0
    assert values(page, "listen_queue_threshold_ratio", "rule").keys() == {"defaults", "web"}


def test_listener_that_leaves_takes_its_series_along(host: Simulation, page: Page) -> None:
    host.kernel.tcp.close(3)
    host.tick(1, TICK_SECONDS)
    found = read(page)
    assert names_of(found, port="5432") == set()
    assert found.value(PUBLISHED) == 3.0


def test_unprintable_names_are_read_back_unchanged(page: Page) -> None:
    """What a scraper reads is the printable name, whatever quotes and backslashes it holds."""
    unprintable = r'@"weird"\x5c\x0a\xff'
    assert read(page).value(LENGTH, address=unprintable, process=r'we"ird\x5c\x0a\xff') == 0.0


def test_reload_is_on_the_page(host: Simulation) -> None:
    found = read(page_of(host, Reload(successful=False, timestamp=1234.5)))
    assert found.value("listen_queue_exporter_config_last_reload_successful") == 0.0
    assert found.value("listen_queue_exporter_config_last_reload_success_timestamp_seconds") == 1234.5


def test_page_has_the_figures_of_its_own_process() -> None:
    page = page_of(Simulation(), process=ProcessCollector(registry=None))
    assert read(page).value("process_resident_memory_bytes") > 0


def test_page_asks_the_kernel_nothing(host: Simulation, page: Page) -> None:
    kernel = host.kernel
    requests = (kernel.tcp, kernel.unix, kernel.syn_recv_dump, kernel.oldest_wait, kernel.netstat)
    before = [request.asked for request in requests]
    page.write(openmetrics=True)
    assert [request.asked for request in requests] == before


def test_empty_host_has_a_page() -> None:
    """Before the first sample too, when every source reads 0."""
    simulation = Simulation()
    page = page_of(simulation)
    assert read(page).value(PUBLISHED) == 0.0
    assert read(page).value(SUCCESS, source="inet") == 0.0
    simulation.tick()
    assert read(page).value(SUCCESS, source="inet") == 1.0

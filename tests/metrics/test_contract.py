"""What dashboards and alerts rely on: every name, type and set of labels."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import Metric as Family

from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.listener_histograms import HISTOGRAMS
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS
from exporter.metrics.metric import Metric
from exporter.metrics.page import Page
from testbed.page import metrics

L = "netns protocol address port process"
INFO_OWNER = "command unit slice container container_id runtime pod namespace user cgroup"
THRESHOLD = f"{L} queue severity"
LEVEL = "rule queue severity"
SOURCE = "source netns"

CONTRACT = {
    "listen_queue_accept_length": ("gauge", L),
    "listen_queue_accept_limit": ("gauge", L),
    "listen_queue_accept_utilization_ratio": ("gauge", L),
    "listen_queue_accept_peak_length": ("gauge", L),
    "listen_queue_accept_peak_utilization_ratio": ("gauge", L),
    "listen_queue_accept_full_seconds_total": ("counter", L),
    "listen_queue_accept_sampled_utilization_ratio_bucket": ("histogram", f"{L} le"),
    "listen_queue_accept_sampled_utilization_ratio_count": ("histogram", L),
    "listen_queue_accept_sampled_utilization_ratio_sum": ("histogram", L),
    "listen_queue_accept_wait_seconds_bucket": ("histogram", f"{L} le"),
    "listen_queue_accept_wait_seconds_count": ("histogram", L),
    "listen_queue_accept_wait_seconds_sum": ("histogram", L),
    "listen_queue_accept_oldest_wait_seconds": ("gauge", L),
    "listen_queue_syn_recv": ("gauge", L),
    "listen_queue_syn_recv_limit": ("gauge", L),
    "listen_queue_syn_recv_peak": ("gauge", L),
    "listen_queue_drops_total": ("counter", L),
    "listen_queue_sockets": ("gauge", L),
    "listen_queue_listener_info": ("gauge", f"{L} rule mptcp stale_path {INFO_OWNER}"),
    "listen_queue_threshold_exceeded": ("gauge", THRESHOLD),
    "listen_queue_threshold_exceeded_seconds_total": ("counter", THRESHOLD),
    "listen_queue_threshold_ratio": ("gauge", LEVEL),
    "listen_queue_threshold_connections": ("gauge", LEVEL),
    "listen_queue_netns_listen_overflows_total": ("counter", "netns"),
    "listen_queue_netns_listen_drops_total": ("counter", "netns"),
    "listen_queue_netns_syn_queue_full_drops_total": ("counter", "netns"),
    "listen_queue_netns_syn_queue_full_cookies_total": ("counter", "netns"),
    "listen_queue_netns_syncookies_sent_total": ("counter", "netns"),
    "listen_queue_netns_syncookies_received_total": ("counter", "netns"),
    "listen_queue_netns_syncookies_failed_total": ("counter", "netns"),
    "listen_queue_sysctl_net_core_somaxconn": ("gauge", "netns"),
    "listen_queue_sysctl_net_ipv4_tcp_max_syn_backlog": ("gauge", "netns"),
    "listen_queue_sysctl_net_ipv4_tcp_syncookies": ("gauge", "netns"),
    "listen_queue_sysctl_net_ipv4_tcp_abort_on_overflow": ("gauge", "netns"),
    "listen_queue_syn_recv_unmatched": ("gauge", "netns"),
    "listen_queue_exporter_build_info": ("gauge", "version revision python"),
    "listen_queue_exporter_source_success": ("gauge", SOURCE),
    "listen_queue_exporter_source_duration_seconds": ("gauge", SOURCE),
    "listen_queue_exporter_source_info": ("gauge", f"{SOURCE} method"),
    "listen_queue_exporter_samples_total": ("counter", "source"),
    "listen_queue_exporter_sample_errors_total": ("counter", "source reason"),
    "listen_queue_exporter_samples_missed_total": ("counter", "source"),
    "listen_queue_exporter_sample_interval_seconds": ("gauge", "source"),
    "listen_queue_exporter_namespace_sample_interval_seconds": ("gauge", "netns"),
    "listen_queue_exporter_last_sample_timestamp_seconds": ("gauge", "source"),
    "listen_queue_exporter_log_lines_dropped_total": ("counter", "reason"),
    "listen_queue_exporter_listeners": ("gauge", ""),
    "listen_queue_exporter_cpu_budget_ratio": ("gauge", ""),
    "listen_queue_exporter_cpu_seconds_total": ("counter", "process"),
    "listen_queue_exporter_sandbox": ("gauge", "process kind"),
    "listen_queue_exporter_listeners_omitted": ("gauge", ""),
    "listen_queue_exporter_namespace_listeners_omitted": ("gauge", "netns"),
    "listen_queue_exporter_config_last_reload_successful": ("gauge", ""),
    "listen_queue_exporter_config_last_reload_success_timestamp_seconds": ("gauge", ""),
}
TCP_ONLY = {
    "listen_queue_accept_oldest_wait_seconds",
    "listen_queue_accept_wait_seconds",
    "listen_queue_syn_recv",
    "listen_queue_syn_recv_limit",
    "listen_queue_syn_recv_peak",
    "listen_queue_drops_total",
}


def families(page: Page) -> dict[str, Family]:
    """The family of each sample name on the page."""
    found = metrics(page.write(openmetrics=False).decode()).families.values()
    return {sample.name: family for family in found for sample in family.samples}


def test_every_metric_of_the_contract_is_on_the_page(page: Page) -> None:
    """With its type, and with exactly its labels on every series."""
    found = families(page)
    for name, (kind, labels) in CONTRACT.items():
        assert name in found, f"{name} is missing"
        assert found[name].type == kind, name
        series = [sample.labels.keys() for sample in found[name].samples if sample.name == name]
        assert all(set(labels.split()) == keys for keys in series), f"{name} has {series}"


def test_catalogue_declares_every_metric_once() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))


def test_everything_on_the_page_is_in_the_catalogue(page: Page) -> None:
    declared = {(metric.name, metric.type, metric.help) for metric in CATALOGUE}
    found = {(family.name, family.type, family.documentation) for family in families(page).values()}
    assert found == declared


def test_catalogue_says_which_metrics_are_of_tcp_listeners_only(page: Page) -> None:
    """The reference says so, and the page agrees."""
    found = metrics(page.write(openmetrics=False).decode())
    every: tuple[Metric[Any, Any], ...] = (*GAUGES_AND_COUNTERS, *HISTOGRAMS)
    for metric in every:
        name = f"{metric.name}_count" if metric.type == "histogram" else metric.sample_name
        tcp_only = metric.subject.tcp_only
        assert tcp_only is (metric.sample_name in TCP_ONLY), metric.name
        assert found.all(name, protocol="tcp"), metric.name
        assert bool(found.all(name, protocol="unix")) is not tcp_only, metric.name


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: str(metric.name))
def test_help_is_a_sentence(metric: Metric[Any, Any]) -> None:
    assert metric.help.endswith(".")
    assert metric.help == " ".join(metric.help.split())

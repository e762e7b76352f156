"""The PodMonitor: the labels that a real Prometheus gives, with the job that prometheus-operator makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until
from tests.deploy.alerts.prometheus_with_rules import PrometheusWithRules
from tests.deploy.kubernetes import scrape_job
from tests.deploy.kubernetes.manifests import Manifests, kustomize
from tests.integration import listening_sockets

OWN_POD = "listen-queue-exporter-x7x7x"
PORT = 8080

Series = dict[str, str]


@pytest.mark.netns
def test_no_series_has_the_pod_of_the_exporter(tmp_path: Path) -> None:
    """It would be in the place of the listener's pod, also where the listener has none."""
    found = scraped(kustomize("base"), tmp_path)
    assert {"listen_queue_accept_length", "listen_queue_listener_info", "up"} <= {
        labels["__name__"] for labels in found
    }
    for labels in found:
        assert not {"exported_pod", "exported_namespace", "exported_container", "endpoint"} & labels.keys()
        assert not {"pod", "namespace", "container"} & labels.keys(), labels
        assert (labels["instance"], labels["node"], labels["job"]) == ("node-1", "node-1", "listen-queue")


@pytest.mark.netns
def test_without_its_relabelings_listeners_would_have_the_pod_of_the_exporter(tmp_path: Path) -> None:
    """The test above would pass on a monitor without them if the operator's labels were not simulated."""
    manifests = kustomize("base")
    (endpoint,) = manifests.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    endpoint["relabelings"] = [each for each in endpoint["relabelings"] if each["action"] != "labeldrop"]
    found = scraped(manifests, tmp_path)
    pods = {labels["pod"] for labels in found if labels["__name__"] == "listen_queue_listener_info"}
    assert pods == {OWN_POD}


def scraped(manifests: Manifests, folder: Path) -> list[Series]:
    """The labels of every series of a scrape."""
    monitor = manifests.one("PodMonitor")
    pod = {
        "metadata": {"name": OWN_POD, "labels": manifests.pod_metadata["labels"]},
        "spec": manifests.pod.spec,
    }
    target = scrape_job.discovered(pod, monitor["metadata"]["namespace"], "node-1")
    job, settings = scrape_job.name(monitor), scrape_job.settings(monitor)
    with (
        PrometheusWithRules(folder, job=job, labels=target, more=settings) as server,
        listening_sockets.tcp("127.0.0.1", PORT),
        running(config="namespaces: {enabled: false}\n"),
    ):
        until(lambda: server.value(f'count(listen_queue_listener_info{{port="{PORT}"}})'), equals(1.0))
        return [dict(labels) for labels in server.query('{__name__=~"listen_queue_[^:]*|up"}')]

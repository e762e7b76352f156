"""The PodMonitor: what a real Prometheus scrapes that is set up as prometheus-operator would."""

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


@pytest.mark.netns
def test_no_series_has_the_pod_of_the_exporter(tmp_path: Path) -> None:
    """It would stand where the pod of the listener stands, also where the listener has none."""
    found = _scraped(kustomize("base"), tmp_path)
    assert {"listen_queue_accept_length", "listen_queue_listener_info", "up"} <= {
        labels["__name__"] for labels in found
    }
    for labels in found:
        assert not {"exported_pod", "exported_namespace", "exported_container", "endpoint"} & labels.keys()
        assert not {"pod", "namespace", "container"} & labels.keys(), labels
        assert (labels["instance"], labels["node"], labels["job"]) == ("node-1", "node-1", "listen-queue")


@pytest.mark.netns
def test_without_its_relabelings_the_monitor_would_give_listeners_the_pod_of_the_exporter(
    tmp_path: Path,
) -> None:
    """So they are what the test above rests on."""
    manifests = kustomize("base")
    (endpoint,) = manifests.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    endpoint["relabelings"] = [each for each in endpoint["relabelings"] if each["action"] != "labeldrop"]
    found = _scraped(manifests, tmp_path)
    pods = {labels["pod"] for labels in found if labels["__name__"] == "listen_queue_listener_info"}
    assert pods == {OWN_POD}


def _scraped(manifests: Manifests, folder: Path) -> list[dict[str, str]]:
    """The labels of every series of a scrape that prometheus-operator would set up."""
    monitor = manifests.one("PodMonitor")
    pod = {
        "metadata": {"name": OWN_POD, "labels": manifests.pod_metadata["labels"]},
        "spec": manifests.pod.spec,
    }
    known = scrape_job.discovered(pod, monitor["metadata"]["namespace"], "node-1")
    with (
        listening_sockets.tcp("127.0.0.1", 8080),
        running(config="namespaces: {enabled: false}\n"),
        PrometheusWithRules(
            folder, job=scrape_job.name(monitor), labels=known, more=scrape_job.settings(monitor)
        ) as server,
    ):
        info = 'count(listen_queue_listener_info{port="8080"})'
        until(lambda: server.value(info), equals(1.0))
        found = server.query('{__name__=~"listen_queue_[^:]*|up"}')
        return [dict(labels) for labels in found]

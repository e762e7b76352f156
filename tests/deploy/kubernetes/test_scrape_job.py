"""The scrape job for a cluster without prometheus-operator, in a real Prometheus that discovers pods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.daemon import running
from testbed.prometheus import Prometheus, flags
from testbed.waiting import equals, until
from tests.deploy.kubernetes import pods_api
from tests.deploy.kubernetes.manifests import ROOT, kustomize
from tests.integration import listening_sockets

JOB = ROOT / "deploy/prometheus/kubernetes.yml"
PORT = 8080


def pod(name: str, *, phase: str = "Running", labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod of the shipped DaemonSet, as the API server would have it."""
    manifests = kustomize("base")
    return {
        "metadata": {
            "name": name,
            "namespace": "listen-queue-exporter",
            "uid": name,
            "labels": manifests.pod_metadata["labels"] if labels is None else labels,
        },
        "spec": {**manifests.pod.spec, "nodeName": f"node-of-{name}"},
        "status": {"phase": phase, "podIP": "127.0.0.1", "hostIP": "127.0.0.1"},
    }


@pytest.mark.netns
@pytest.mark.usefixtures("newest_monitoring")
def test_it_scrapes_the_exporter_and_gives_series_the_labels_of_their_owners(tmp_path: Path) -> None:
    """And nothing else: neither a pod that has ended, nor one of another application.

    Debian 12 has a Prometheus without this discovery.
    """
    pods = [pod("here"), pod("ended", phase="Succeeded"), pod("other", labels={"app": "other"})]
    with (
        pods_api.serving(pods) as address,
        listening_sockets.tcp("127.0.0.1", PORT),
        running(config="namespaces: {enabled: false}\n"),
        Prometheus(tmp_path, flags(tmp_path, config(address))) as server,
    ):
        until(lambda: server.value(f'count(listen_queue_listener_info{{port="{PORT}"}})'), equals(1.0))
        found = [dict(labels) for labels in server.query('{__name__=~"listen_queue_[^:]*|up"}')]
        assert [target["labels"]["instance"] for target in server.targets()] == ["node-of-here"]
    for labels in found:
        assert (labels["job"], labels["instance"], labels["node"]) == (
            "listen-queue",
            "node-of-here",
            "node-of-here",
        )
        assert not {"exported_pod", "exported_namespace", "exported_container"} & labels.keys()
        assert not {"pod", "namespace", "container"} & labels.keys(), labels


def config(api: str) -> str:
    """The shipped job, once a second, with the API server at this address."""
    document = yaml.safe_load(JOB.read_text())
    (job,) = document["scrape_configs"]
    (discovery,) = job["kubernetes_sd_configs"]
    discovery["api_server"] = api
    document["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return json.dumps(document)

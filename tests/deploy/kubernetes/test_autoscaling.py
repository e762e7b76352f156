"""The examples of autoscaling: a real Prometheus has what they query, and it is what they scale by."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes import rules
from exporter.config import ConfigFile
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.deploy.alerts.prometheus_with_rules import PrometheusWithRules
from tests.deploy.kubernetes import scrape_job
from tests.deploy.kubernetes.manifests import KUBERNETES, kustomize, validate, versions
from tests.deploy.kubernetes.node import Node
from tests.integration import listening_sockets
from tests.integration.forked_exporter import ForkedExporter
from tests.integration.metric_values import until_figure
from tests.integration.reference import within
from tests.integration.service import Service

AUTOSCALING = KUBERNETES / "autoscaling"
SERIES = "pod:listen_queue_accept_peak_utilization_ratio:max"
PORT, BACKLOG = 8080, 9
# Pods as a Deployment names them, and the lengths of their queues, which hold 10.
WEB = {"web-6d5f9c7b8-abcde": 10, "web-6d5f9c7b8-fghij": 2}
PODS = {("prod", pod): waiting for pod, waiting in WEB.items()} | {
    ("prod", "web-admin-6d5f9c7b8-klmno"): 10,
    ("test", "web-6d5f9c7b8-pqrst"): 10,
}


def example(name: str) -> Any:
    """One of the files."""
    return yaml.safe_load((AUTOSCALING / f"{name}.yaml").read_text())


def prometheus_trigger() -> dict[str, Any]:
    """The trigger of the ScaledObject that queries Prometheus."""
    triggers = example("scaledobject")["spec"]["triggers"]
    (found,) = [trigger for trigger in triggers if trigger["type"] == "prometheus"]
    return dict(found)


def pods_metric() -> dict[str, Any]:
    """The metric of the HPA that pods have."""
    metrics = example("horizontalpodautoscaler")["spec"]["metrics"]
    (found,) = [metric["pods"] for metric in metrics if metric["type"] == "Pods"]
    return dict(found)


def adapter_rule() -> dict[str, Any]:
    """The rule of the adapter that serves that metric."""
    (found,) = example("prometheus-adapter-values")["rules"]["custom"]
    return dict(found)


def adapter_query(rule: dict[str, Any], namespace: str, pods: list[str]) -> str:
    """The query of the adapter for these pods (docs/config.md of its repository)."""
    series = re.search(r'__name__="([^"]+)"', rule["seriesQuery"])
    assert series is not None
    label = {each["resource"]: name for name, each in rule["resources"]["overrides"].items()}
    values = {
        "<<.Series>>": series[1],
        "<<.LabelMatchers>>": f'{label["namespace"]}="{namespace}",{label["pod"]}=~"{"|".join(pods)}"',
        "<<.GroupBy>>": label["pod"],
    }
    query = str(rule["metricsQuery"])
    for name, value in values.items():
        assert name in query
        query = query.replace(name, value)
    return query


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of the test's own."""
    with Node.made(tmp_path / "node") as made:
        yield made


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("name", ["horizontalpodautoscaler", "scaledobject"])
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    validate(example(name), version)


def test_the_series_is_recorded() -> None:
    recorded = {rule.get("record") for group in rules.groups() for rule in group["rules"]}
    assert SERIES in recorded
    assert SERIES in adapter_rule()["seriesQuery"]
    assert SERIES in prometheus_trigger()["metadata"]["query"]


def test_the_metric_of_the_hpa_is_that_of_the_adapter() -> None:
    assert pods_metric()["metric"]["name"] == adapter_rule()["name"]["as"]


def test_the_target_is_the_warning_threshold_of_the_exporter(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("{}\n")
    warning = next(
        level.value
        for (queue, severity), level in ConfigFile(str(file)).load().defaults.thresholds.levels.items()
        if (queue, severity) == ("accept", "warning")
    )
    assert int(pods_metric()["target"]["averageValue"].removesuffix("m")) / 1000 == warning
    assert float(prometheus_trigger()["metadata"]["threshold"]) == warning


def test_both_scale_by_the_average_over_the_pods() -> None:
    """So one pod that hangs does not scale; with KEDA it is `sum` in the query and AverageValue together."""
    assert pods_metric()["target"]["type"] == "AverageValue"
    assert prometheus_trigger()["metricType"] == "AverageValue"
    assert prometheus_trigger()["metadata"]["query"].startswith("sum(")


def test_a_missing_series_is_a_failure() -> None:
    """KEDA takes an empty result for 0 by default."""
    assert prometheus_trigger()["metadata"]["ignoreNullValues"] == "false"


def test_both_examples_scale_alike() -> None:
    hpa, scaled = example("horizontalpodautoscaler")["spec"], example("scaledobject")["spec"]
    assert scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (hpa["minReplicas"], hpa["maxReplicas"])
    assert scaled["scaleTargetRef"]["name"] == hpa["scaleTargetRef"]["name"]
    # Without a listener there is nothing to scale by.
    assert scaled["minReplicaCount"] > 0
    load_metric = [metric["resource"] for metric in hpa["metrics"] if metric["type"] == "Resource"]
    utilization = load_metric[0]["target"]["averageUtilization"]
    assert {"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(utilization)}} in scaled[
        "triggers"
    ]


@pytest.mark.netns
def test_the_queries_of_both_examples_return_the_peaks_of_their_pods(node: Node, tmp_path: Path) -> None:
    rule, trigger = adapter_rule(), prometheus_trigger()
    wanted = {pod: waiting / (BACKLOG + 1) for pod, waiting in WEB.items()}
    with pods_with_clients(node, tmp_path) as server:
        query = adapter_query(rule, "prod", list(WEB))
        until(lambda: by_pod(server, query), equals(wanted))
        total = pytest.approx(sum(wanted.values()))
        until(lambda: server.value(trigger["metadata"]["query"]), lambda found: found == total)
        # How the adapter finds out which pods have the metric.
        until(lambda: by_pod(server, rule["seriesQuery"]).keys(), equals({pod for _, pod in PODS}))
        # More than the target on average, so a third pod is to be added, but no fourth.
        average = sum(wanted.values()) / len(wanted)
        assert 1 < average / float(trigger["metadata"]["threshold"]) < 1.5
        # No pod of the deployment exists there.
        assert server.query(trigger["metadata"]["query"].replace("prod", "nowhere")) == {}


def by_pod(server: PrometheusWithRules, query: str) -> dict[str, float]:
    """The values by the label `pod`."""
    return {dict(labels)["pod"]: value for labels, value in server.query(query).items()}


@contextmanager
def pods_with_clients(node: Node, folder: Path) -> Iterator[PrometheusWithRules]:
    """Pods with clients in their queues, the exporter with the rights of all-pods, and Prometheus."""
    overlay = kustomize("all-pods")
    monitor = overlay.one("PodMonitor")
    pod_of_exporter = {
        "metadata": {"name": "listen-queue-exporter-x7x7x", "labels": overlay.pod_metadata["labels"]},
        "spec": overlay.pod.spec,
    }
    target = scrape_job.discovered(pod_of_exporter, monitor["metadata"]["namespace"], "node-1")
    job, settings = scrape_job.name(monitor), scrape_job.settings(monitor)
    with (
        PrometheusWithRules(folder, job=job, labels=target, more=settings) as server,
        Namespaces() as namespaces,
        ExitStack() as stack,
    ):
        inodes = []
        for (namespace, pod), waiting in PODS.items():
            made = namespaces.container()
            inodes.append(made.inode)
            with within(made.pid):
                stack.enter_context(Service(b"web", node.listen(namespace, pod, "app", listen)))
            made.fill_tcp(PORT, waiting)
        # A listener of the node, which is in no pod.
        stack.enter_context(listening_sockets.tcp("127.0.0.1", PORT))
        flags = node.become_container(overlay, *inodes)
        exporter = stack.enter_context(ForkedExporter(*flags))
        for namespace, pod in PODS:
            until_figure(exporter, 1, "listener_info", namespace=namespace, pod=pod)
        yield server


def listen() -> list[socket.socket]:
    """The listener of each pod."""
    return [listening_sockets.tcp("127.0.0.1", PORT, backlog=BACKLOG)]

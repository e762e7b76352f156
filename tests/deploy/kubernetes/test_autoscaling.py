"""The examples of autoscaling: what they ask a real Prometheus for is there, and says what they scale by."""

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
from exporter.config import load
from testbed.netns import Namespaces
from testbed.waiting import until
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
BACKLOG = 9
# As a Deployment names them, and how many of the 10 places in the queue of each are taken.
WEB = {"web-6d5f9c7b8-abcde": 10, "web-6d5f9c7b8-fghij": 2}
PODS = {("prod", pod): waiting for pod, waiting in WEB.items()} | {
    ("prod", "web-admin-6d5f9c7b8-klmno"): 10,
    ("test", "web-6d5f9c7b8-pqrst"): 10,
}


def example(name: str) -> Any:
    """One of the files."""
    return yaml.safe_load((AUTOSCALING / f"{name}.yaml").read_text())


def prometheus_trigger() -> dict[str, Any]:
    """The trigger of the ScaledObject that asks Prometheus."""
    triggers = example("scaledobject")["spec"]["triggers"]
    (found,) = [trigger for trigger in triggers if trigger["type"] == "prometheus"]
    return dict(found)


def pods_metric() -> dict[str, Any]:
    """The metric of the HPA that is one of pods."""
    metrics = example("horizontalpodautoscaler")["spec"]["metrics"]
    (found,) = [metric["pods"] for metric in metrics if metric["type"] == "Pods"]
    return dict(found)


def adapter_rule() -> dict[str, Any]:
    """The rule of the adapter behind that metric."""
    (found,) = example("prometheus-adapter-values")["rules"]["custom"]
    return dict(found)


def adapter_query(rule: dict[str, Any], namespace: str, pods: list[str]) -> str:
    """What the adapter asks for these pods (docs/config.md of its repository)."""
    series = re.search(r'__name__="([^"]+)"', rule["seriesQuery"])
    assert series is not None
    label = {about["resource"]: name for name, about in rule["resources"]["overrides"].items()}
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
def test_every_field_is_one_that_kubernetes_knows(name: str, version: str) -> None:
    validate(example(name), version)


def test_the_series_is_one_that_is_recorded() -> None:
    recorded = {rule.get("record") for group in rules.groups() for rule in group["rules"]}
    assert SERIES in recorded
    assert SERIES in adapter_rule()["seriesQuery"]
    assert SERIES in prometheus_trigger()["metadata"]["query"]


def test_the_hpa_asks_for_the_metric_that_the_adapter_has() -> None:
    assert pods_metric()["metric"]["name"] == adapter_rule()["name"]["as"]


def test_the_target_is_where_the_exporter_warns(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("")
    warning = next(
        level.value
        for (queue, severity), level in load(str(file)).defaults.levels.items()
        if (queue, severity) == ("accept", "warning")
    )
    assert int(pods_metric()["target"]["averageValue"].removesuffix("m")) / 1000 == warning
    assert float(prometheus_trigger()["metadata"]["threshold"]) == warning


def test_a_single_pod_that_hangs_does_not_scale() -> None:
    """Both take the average over the pods, as `sum` in the query and AverageValue together do with KEDA."""
    assert pods_metric()["target"]["type"] == "AverageValue"
    assert prometheus_trigger()["metricType"] == "AverageValue"
    assert prometheus_trigger()["metadata"]["query"].startswith("sum(")


def test_where_the_series_is_gone_no_pod_is_taken_away() -> None:
    """KEDA takes an empty answer for 0 unless it is told not to."""
    assert prometheus_trigger()["metadata"]["ignoreNullValues"] == "false"


def test_both_examples_scale_alike() -> None:
    hpa, scaled = example("horizontalpodautoscaler")["spec"], example("scaledobject")["spec"]
    assert scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (hpa["minReplicas"], hpa["maxReplicas"])
    assert scaled["scaleTargetRef"]["name"] == hpa["scaleTargetRef"]["name"]
    # Where nobody listens there is nothing to scale by.
    assert scaled["minReplicaCount"] > 0
    load_metric = [metric["resource"] for metric in hpa["metrics"] if metric["type"] == "Resource"]
    utilization = load_metric[0]["target"]["averageUtilization"]
    assert {"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(utilization)}} in scaled[
        "triggers"
    ]


@pytest.mark.netns
@pytest.mark.timeout(120)
def test_prometheus_has_an_answer_for_each_pod_and_for_keda(node: Node, tmp_path: Path) -> None:
    rule, trigger = adapter_rule(), prometheus_trigger()
    wanted = {pod: waiting / (BACKLOG + 1) for pod, waiting in WEB.items()}
    with under_load(node, tmp_path) as server:
        query = adapter_query(rule, "prod", list(WEB))
        until(lambda: by_pod(server, query), lambda found: found == wanted)
        assert server.value(trigger["metadata"]["query"]) == pytest.approx(sum(wanted.values()))
        # How the adapter finds out which pods have the metric.
        seen = by_pod(server, rule["seriesQuery"])
        assert seen.keys() == {pod for _, pod in PODS}
        # More than the target on average, so there is to be a third pod, but no fourth.
        average = sum(wanted.values()) / len(wanted)
        assert 1 < average / float(trigger["metadata"]["threshold"]) < 1.5
        # Names that nobody has.
        assert server.query(trigger["metadata"]["query"].replace("prod", "nowhere")) == {}


def by_pod(server: PrometheusWithRules, query: str) -> dict[str, float]:
    """The answer by the label `pod`."""
    return {dict(labels)["pod"]: value for labels, value in server.query(query).items()}


@contextmanager
def under_load(node: Node, folder: Path) -> Iterator[PrometheusWithRules]:
    """Pods with clients in their queues, the exporter with the rights of all-pods, and Prometheus."""
    with Namespaces() as namespaces, ExitStack() as stack:
        inodes = []
        for (namespace, pod), waiting in PODS.items():
            made = namespaces.container()
            inodes.append(made.inode)
            with within(made.pid):
                stack.enter_context(Service(b"web", node.listen(namespace, pod, "app", listen)))
            made.fill_tcp(8080, waiting)
        # A listener of the node, which is in no pod.
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8080))
        overlay = kustomize("all-pods")
        monitor = overlay.one("PodMonitor")
        about = {
            "metadata": {"name": "listen-queue-exporter-x7x7x", "labels": overlay.pod_metadata["labels"]},
            "spec": overlay.pod.spec,
        }
        known = scrape_job.discovered(about, monitor["metadata"]["namespace"], "node-1")
        server = stack.enter_context(
            PrometheusWithRules(
                folder, job=scrape_job.name(monitor), labels=known, more=scrape_job.settings(monitor)
            )
        )
        flags = node.become_container(overlay, *inodes)
        exporter = stack.enter_context(ForkedExporter(*flags))
        for namespace, pod in PODS:
            until_figure(exporter, 1, "listener_info", namespace=namespace, pod=pod)
        until(lambda: server.value("count(listen_queue_listener_info)"), bool)
        yield server


def listen() -> list[socket.socket]:
    """What each of the pods does."""
    return [listening_sockets.tcp("127.0.0.1", 8080, backlog=BACKLOG)]

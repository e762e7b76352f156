"""The scrape job that prometheus-operator makes of a PodMonitor, and the labels of a pod that is discovered.

Source: generatePodMonitorConfig, pkg/prometheus/promcfg.go in the repository of prometheus-operator. A target
gets the labels of the operator first; then the relabelings of the monitor are applied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Relabeling = dict[str, Any]

_SNAKE = re.compile(r"(?<=[a-z])([A-Z])")


def name(monitor: Mapping[str, Any]) -> str:
    """The name of the scrape job for the first endpoint."""
    metadata = monitor["metadata"]
    return f"podMonitor/{metadata['namespace']}/{metadata['name']}/0"


def settings(monitor: Mapping[str, Any]) -> str:
    """The other settings of that job, as YAML with one line a key."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    lines = {
        "honor_labels": endpoint.get("honorLabels", False),
        "metrics_path": endpoint["path"],
        "relabel_configs": _of_operator(monitor, endpoint["port"])
        + _of_monitor(endpoint.get("relabelings", [])),
        "metric_relabel_configs": _of_monitor(endpoint.get("metricRelabelings", [])),
    }
    return "\n    ".join(f"{key}: {json.dumps(value)}" for key, value in lines.items())


def discovered(pod: Mapping[str, Any], namespace: str, node: str) -> str:
    """The labels of a running pod and its port as a target."""
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    metadata = pod["metadata"]
    known = {
        "__meta_kubernetes_namespace": namespace,
        "__meta_kubernetes_pod_name": metadata["name"],
        "__meta_kubernetes_pod_node_name": node,
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_container_name": container["name"],
        "__meta_kubernetes_pod_container_port_name": port["name"],
    }
    for label, value in metadata["labels"].items():
        known[f"__meta_kubernetes_pod_label_{_label(label)}"] = value
        known[f"__meta_kubernetes_pod_labelpresent_{_label(label)}"] = "true"
    return ", ".join(f"{label}: {json.dumps(value)}" for label, value in known.items())


def _of_operator(monitor: Mapping[str, Any], port: str) -> list[Relabeling]:
    selected = [
        {
            "action": "keep",
            "source_labels": [
                f"__meta_kubernetes_pod_label_{_label(label)}",
                f"__meta_kubernetes_pod_labelpresent_{_label(label)}",
            ],
            "regex": f"({value});true",
        }
        for label, value in monitor["spec"]["selector"]["matchLabels"].items()
    ]
    metadata = monitor["metadata"]
    return [
        {"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"},
        {
            "action": "drop",
            "source_labels": ["__meta_kubernetes_pod_phase"],
            "regex": "(Failed|Succeeded)",
        },
        *selected,
        {
            "action": "keep",
            "source_labels": ["__meta_kubernetes_pod_container_port_name"],
            "regex": port,
        },
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"target_label": "job", "replacement": f"{metadata['namespace']}/{metadata['name']}"},
        {"target_label": "endpoint", "replacement": port},
    ]


def _of_monitor(relabelings: list[Mapping[str, Any]]) -> list[Relabeling]:
    return [
        {_SNAKE.sub(r"_\1", key).lower(): value for key, value in relabeling.items()}
        for relabeling in relabelings
    ]


def _label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)

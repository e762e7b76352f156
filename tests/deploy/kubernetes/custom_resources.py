"""Schemas of the resources of prometheus-operator and KEDA: the fields that are used here, and no others.

Sources: Documentation/api-reference/api.md in github.com/prometheus-operator/prometheus-operator, and
https://keda.sh/docs/latest/reference/scaledobject-spec/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jsonschema
import pytest

_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION: Final = {"type": "string", "pattern": r"^(0|([0-9]+(ms|[smhdwy]))+)$"}
_COUNT: Final = {"type": "integer", "minimum": 0}


def _record(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": sorted(required),
        "additionalProperties": False,
    }


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


def _resource(api_version: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _record({"name": _TEXT}, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
    head = {"apiVersion": {"const": api_version}, "kind": {"const": kind}}
    return _record({**head, "metadata": metadata, "spec": spec})


_RELABELING: Final = _record(
    {},
    # Not all actions: the others need fields that are not allowed here.
    action={"enum": ["replace", "labeldrop", "keep", "drop"]},
    sourceLabels=_list(_TEXT),
    targetLabel=_TEXT,
    regex=_TEXT,
    replacement=_TEXT,
)
_KEY: Final = _record({"name": _TEXT, "key": _TEXT})
_SECRET_OR_CONFIG: Final = {"oneOf": [_record({"secret": _KEY}), _record({"configMap": _KEY})]}
# SafeTLSConfig.
_TLS: Final = _record(
    {}, ca=_SECRET_OR_CONFIG, cert=_SECRET_OR_CONFIG, keySecret=_KEY, serverName=_TEXT, minVersion=_TEXT
)
_POD_MONITOR: Final = _record(
    {
        "selector": _record({"matchLabels": _TEXTS}),
        "podMetricsEndpoints": _list(
            _record(
                {"port": _TEXT},
                path=_TEXT,
                interval=_DURATION,
                scheme={"enum": ["http", "https"]},
                tlsConfig=_TLS,
                basicAuth=_record({"username": _KEY, "password": _KEY}),
                relabelings=_list(_RELABELING),
            )
        ),
    }
)
_ALERT: Final = _record(
    {"alert": _TEXT, "expr": _TEXT},
    **{"for": _DURATION},
    keep_firing_for=_DURATION,
    labels=_TEXTS,
    annotations=_TEXTS,
)
_RECORD: Final = _record({"record": _TEXT, "expr": _TEXT}, labels=_TEXTS)
_PROMETHEUS_RULE: Final = _record(
    {
        "groups": _list(
            _record(
                {"name": _TEXT, "rules": _list({"oneOf": [_ALERT, _RECORD]})},
                interval=_DURATION,
            )
        )
    }
)
_SCALING_POLICY: Final = _record(
    {"type": {"enum": ["Pods", "Percent"]}, "value": _COUNT, "periodSeconds": _COUNT}
)
_SCALING: Final = _record(
    {},
    stabilizationWindowSeconds=_COUNT,
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies=_list(_SCALING_POLICY),
)
_TRIGGER: Final = _record(
    {"type": {"enum": ["prometheus", "cpu"]}, "metadata": _TEXTS},
    name=_TEXT,
    metricType={"enum": ["AverageValue", "Value", "Utilization"]},
)
_SCALED_OBJECT: Final = _record(
    {"scaleTargetRef": _record({"name": _TEXT}, apiVersion=_TEXT, kind=_TEXT), "triggers": _list(_TRIGGER)},
    pollingInterval=_COUNT,
    minReplicaCount=_COUNT,
    maxReplicaCount=_COUNT,
    advanced=_record(
        {
            "horizontalPodAutoscalerConfig": _record(
                {"behavior": _record({}, scaleUp=_SCALING, scaleDown=_SCALING)}
            )
        }
    ),
)

SCHEMAS: Final = {
    "PodMonitor": _resource("monitoring.coreos.com/v1", "PodMonitor", _POD_MONITOR),
    "PrometheusRule": _resource("monitoring.coreos.com/v1", "PrometheusRule", _PROMETHEUS_RULE),
    "ScaledObject": _resource("keda.sh/v1alpha1", "ScaledObject", _SCALED_OBJECT),
}


def check(document: Mapping[str, Any]) -> None:
    """Fail the test where a document does not match the schema of its kind."""
    try:
        jsonschema.validate(document, SCHEMAS[document["kind"]])
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.path)
        pytest.fail(f"{document['kind']}: {place}: {error.message}")

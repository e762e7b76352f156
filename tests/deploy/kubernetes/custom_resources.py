"""Schemas of resources of prometheus-operator, KEDA and OpenShift: the fields that are used, and no others.

Sources: Documentation/api-reference/api.md in github.com/prometheus-operator/prometheus-operator,
https://keda.sh/docs/latest/reference/scaledobject-spec/ and
security/v1/types.go in github.com/openshift/api.
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


def _head(api_version: str, kind: str, **metadata: Any) -> dict[str, Any]:
    fields = _record({"name": _TEXT}, labels=_TEXTS, annotations=_TEXTS, **metadata)
    return {"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": fields}


def _resource(api_version: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return _record({**_head(api_version, kind, namespace=_TEXT), "spec": spec})


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

_FLAG: Final = {"type": "boolean"}
_NAMES: Final = {"type": "array", "items": _TEXT}
_ANY: Final = _record({"type": {"const": "RunAsAny"}})
# They have no spec, and belong to the cluster. What is required is what their type has without omitempty.
_CONSTRAINTS: Final = _record(
    {
        **_head("security.openshift.io/v1", "SecurityContextConstraints"),
        "priority": {"type": "integer"},
        "allowHostNetwork": _FLAG,
        "allowHostPorts": _FLAG,
        "allowHostPID": _FLAG,
        "allowHostIPC": _FLAG,
        "allowHostDirVolumePlugin": _FLAG,
        "allowPrivilegedContainer": _FLAG,
        "allowedCapabilities": _NAMES,
        "defaultAddCapabilities": _NAMES,
        "requiredDropCapabilities": _NAMES,
        "readOnlyRootFilesystem": _FLAG,
        "volumes": _NAMES,
    },
    allowPrivilegeEscalation=_FLAG,
    users=_NAMES,
    groups=_NAMES,
    runAsUser=_record({"type": {"const": "MustRunAs"}, "uid": _COUNT}),
    seLinuxContext={
        "oneOf": [
            _ANY,
            _record(
                {
                    "type": {"const": "MustRunAs"},
                    "seLinuxOptions": _record({}, user=_TEXT, role=_TEXT, type=_TEXT, level=_TEXT),
                }
            ),
        ]
    },
    fsGroup=_ANY,
    supplementalGroups=_ANY,
    seccompProfiles=_NAMES,
)

SCHEMAS: Final = {
    "SecurityContextConstraints": _CONSTRAINTS,
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

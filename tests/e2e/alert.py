"""An alert as Prometheus, Alertmanager or a notification describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tests.integration.reference import Endpoint

_ANNOTATIONS = ("summary", "description", "runbook_url")
# What a template leaves behind that was not expanded, or failed.
_TEMPLATE_REMAINS = ("{{", "}}", "error", "<no value>", "%!", "  ")


@dataclass(frozen=True, slots=True)
class Alert:
    """`state` is firing, pending, suppressed or resolved; times are in seconds since 1970.

    `ends` is 0 where none is given. `receiver` is the receiver of a notification.
    """

    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts: float
    ends: float = 0.0
    receiver: str = ""

    @classmethod
    def from_prometheus(cls, json: Mapping[str, Any]) -> Self:
        """One of /api/v1/alerts."""
        return cls(json["state"], json["labels"], json["annotations"], _seconds(json["activeAt"]))

    @classmethod
    def from_alertmanager(cls, json: Mapping[str, Any]) -> Self:
        """One of /api/v2/alerts, which has no resolved ones."""
        state = "suppressed" if json["status"]["state"] == "suppressed" else "firing"
        starts, ends = _seconds(json["startsAt"]), _seconds(json["endsAt"])
        return cls(state, json["labels"], json["annotations"], starts, ends)

    @classmethod
    def from_webhook(cls, json: Mapping[str, Any], receiver: str) -> Self:
        """One of those in a notification."""
        starts, ends = _seconds(json["startsAt"]), _seconds(json["endsAt"])
        return cls(json["status"], json["labels"], json["annotations"], starts, ends, receiver)

    @property
    def name(self) -> str:
        """The label `alertname`."""
        return self.labels["alertname"]

    @property
    def broken_annotations(self) -> list[str]:
        """The annotations that are missing, or whose template was not expanded."""
        texts = {name: self.annotations.get(name, "").strip() for name in _ANNOTATIONS}
        return [
            name
            for name, text in texts.items()
            if not text or any(remains in text for remains in _TEMPLATE_REMAINS)
        ]

    @property
    def listener(self) -> Endpoint:
        """The listener that its labels name; three empty strings where they name none."""
        return Endpoint(*(self.labels.get(label, "") for label in Endpoint._fields))

    def __str__(self) -> str:
        labels = " ".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        to = f" to {self.receiver}" if self.receiver else ""
        until = f" until {self.ends:.3f}" if self.state == "resolved" else ""
        return f"{self.state}{to} since {self.starts:.3f}{until} {labels}"


def listing(alerts: Iterable[Alert]) -> str:
    """One line for each, sorted."""
    return "\n".join(sorted(map(str, alerts))) or "none"


def _seconds(text: str) -> float:
    """RFC 3339 in UTC, cut to milliseconds, as timestamps of samples are; 0 for the year 1, "never"."""
    if text.startswith("0001-"):
        return 0.0
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:3]:0<3}+00:00").timestamp()

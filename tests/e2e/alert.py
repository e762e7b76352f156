"""An alert, as whoever was asked tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tests.integration.reference import CgroupLocation


@dataclass(frozen=True, slots=True)
class Alert:
    """`state` is firing, pending, suppressed or resolved; times are seconds since 1970.

    `ends` is 0 where none is told, `receiver` is who was told of it.
    """

    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts: float
    ends: float = 0.0
    receiver: str = ""

    @classmethod
    def from_prometheus(cls, told: Mapping[str, Any]) -> Self:
        """One of /api/v1/alerts."""
        return cls(told["state"], told["labels"], told["annotations"], _seconds(told["activeAt"]))

    @classmethod
    def from_alertmanager(cls, told: Mapping[str, Any]) -> Self:
        """One of /api/v2/alerts, which has no resolved ones; a suppressed one is kept back by another."""
        state = "suppressed" if told["status"]["state"] == "suppressed" else "firing"
        starts, ends = _seconds(told["startsAt"]), _seconds(told["endsAt"])
        return cls(state, told["labels"], told["annotations"], starts, ends)

    @classmethod
    def from_webhook(cls, told: Mapping[str, Any], receiver: str) -> Self:
        """One of those that Alertmanager sends to a receiver."""
        starts, ends = _seconds(told["startsAt"]), _seconds(told["endsAt"])
        return cls(told["status"], told["labels"], told["annotations"], starts, ends, receiver)

    @property
    def name(self) -> str:
        """Which alert it is."""
        return self.labels["alertname"]

    @property
    def unsound(self) -> list[str]:
        """Annotations that are missing, or in which a template is left or has failed."""
        return [
            name
            for name in ("summary", "description", "runbook_url")
            if not (text := self.annotations.get(name, "").strip())
            or any(mark in text for mark in ("{{", "}}", "error", "<no value>", "%!", "  "))
        ]

    @property
    def place(self) -> CgroupLocation:
        """The listener that it names."""
        return CgroupLocation(*(self.labels.get(label, "") for label in CgroupLocation._fields))

    def __str__(self) -> str:
        labels = " ".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        to = f" to {self.receiver}" if self.receiver else ""
        until = f" until {self.ends:.3f}" if self.state == "resolved" else ""
        return f"{self.state}{to} since {self.starts:.3f}{until} {labels}"


def listing(alerts: Iterable[Alert]) -> str:
    """One line for each, in order."""
    return "\n".join(sorted(map(str, alerts))) or "none"


def _seconds(text: str) -> float:
    """RFC 3339 in UTC, cut to the milliseconds in which samples are stored; the year 1 stands for never."""
    if text.startswith("0001-"):
        return 0.0
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:3]:0<3}+00:00").timestamp()

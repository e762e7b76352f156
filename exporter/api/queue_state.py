"""The state of a listener in one word."""

from __future__ import annotations

import enum


class QueueState(enum.StrEnum):
    """From the worst on: a socket is full, or a threshold of a queue is exceeded, or none is."""

    FULL = "full"
    CRITICAL = "critical"
    WARNING = "warning"
    OK = "ok"

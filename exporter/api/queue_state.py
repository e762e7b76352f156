"""The state of a listener in one word."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class QueueState(enum.StrEnum):
    """From the worst on: a socket is full, or a threshold of a queue is exceeded, or none is."""

    FULL = "full"
    CRITICAL = "critical"
    WARNING = "warning"
    OK = "ok"


# From the worst on; a queue that cannot be read may be in any state.
RANKS: Final[Mapping[QueueState | None, int]] = {
    state: rank for rank, state in enumerate((*list(QueueState)[:-1], None, QueueState.OK))
}

"""How many requests are served."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from exporter.web_config.model import RateLimit


class TokenBucket:
    """One token in `limit.interval_seconds`, and at most `limit.burst` of them. It is full at first."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._tokens = float(limit.burst)
        self._at = clock()

    def take(self) -> bool:
        """Take a token, and return whether there was one."""
        now = self._clock()
        earned = (now - self._at) / self.limit.interval_seconds
        self._tokens = min(float(self.limit.burst), self._tokens + earned)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def retry_seconds(self) -> int:
        """Return after how many seconds there is a token again, rounded up."""
        return max(1, math.ceil((1 - self._tokens) * self.limit.interval_seconds))

"""A response that nobody sends, for handlers that are called without a server."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field


@dataclass(eq=False)
class FakeDelivery:
    """Is sent when the test closes `until_sent`."""

    until_sent: ExitStack = field(default_factory=ExitStack)
    stalled_seconds: float = 0.0
    aborted: bool = False

    def abort(self) -> None:
        """Note that the connection was closed."""
        self.aborted = True
        self.until_sent.close()

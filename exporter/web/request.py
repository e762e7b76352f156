"""A request, as far as handlers need it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol


class Delivery(Protocol):
    """The way of a response to its client."""

    @property
    def until_sent(self) -> ExitStack:
        """Closed when the client has the whole response, or when the connection is closed.

        A handler enters into it what must last until then.
        """
        ...

    @property
    def stalled_seconds(self) -> float:
        """For how long the client has taken nothing of a response that is being sent."""
        ...

    def abort(self) -> None:
        """Close the connection; what was not sent yet is lost."""
        ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that has arrived completely.

    `path` is without the query, and `query` what follows the `?`. Names of headers are in lower case; one
    that came several times has its values joined by commas (RFC 9110, section 5.3).
    """

    method: str
    path: str
    headers: Mapping[str, str]
    delivery: Delivery
    query: str = ""

"""A request, as far as handlers need it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that has arrived completely; an absent header is None.

    `path` is without the query. `until_sent` is closed when the client has the whole response, or when the
    connection is closed: a handler enters into it what must last until then.
    """

    method: str
    path: str
    accept: str | None
    accept_encoding: str | None
    until_sent: ExitStack

"""What the server serves, as handed in from the top."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.web.negotiation import Format

LANDING_PATH = "/"
HEALTHY_PATH = "/-/healthy"
READY_PATH = "/-/ready"
RELOAD_PATH = "/-/reload"

_RESERVED = frozenset({LANDING_PATH, HEALTHY_PATH, READY_PATH, RELOAD_PATH})

# RFC 3986, section 3.3, without percent-encoding: the path is compared with the request's byte by byte.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


@dataclass(frozen=True, slots=True)
class Site:
    """The pages' contents and the switches that decide who gets them.

    `render` and `reload` are called in worker threads: `render` in several at once, `reload` never twice at
    once by this server. `ready` is called in the event loop's thread and must not block.

    `reload` returns None when the new configuration is in force, else the text for the caller.
    `max_requests` is how many scrapes may be in flight; 0 means any number.
    Raises UsageError where `telemetry_path` cannot be served.
    """

    render: Callable[[Format], bytes]
    ready: Callable[[], bool]
    reload: Callable[[], str | None]
    telemetry_path: str
    lifecycle: bool
    max_requests: int
    version: str

    def __post_init__(self) -> None:
        """Refuse a path that is malformed or taken, and a limit below zero."""
        path = self.telemetry_path
        if not path.startswith("/"):
            message = f"--web.telemetry-path: {path!r} must start with '/', such as /metrics"
            raise UsageError(message)
        if path in _RESERVED:
            message = f"--web.telemetry-path: {path!r} is a page of its own; choose another, such as /metrics"
            raise UsageError(message)
        if not _PATH.fullmatch(path):
            message = (
                f"--web.telemetry-path: {path!r} may hold letters, digits and -._~!$&'()*+,;=:@/ only, "
                "and neither a query nor percent-encoding"
            )
            raise UsageError(message)
        if self.max_requests < 0:
            message = f"--web.max-requests: {self.max_requests} must be 0 (no limit) or more"
            raise UsageError(message)

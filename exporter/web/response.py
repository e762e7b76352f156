"""A response, before it is written to a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A status, a body and the headers that depend on them.

    The body is present for HEAD as well: Content-Length is that of GET (RFC 9110, section 9.3.2). It is not
    copied, so that many responses may share one.
    """

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: HTTPStatus, text: str, **headers: str) -> HttpResponse:
        """Return a response in plain text; the newline at its end is added.

        `_` in the name of a header stands for `-`.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, f"{text}\n".encode(errors="replace"), headers=named)

    @classmethod
    def busy(cls, text: str, *, retry_seconds: int = 1) -> HttpResponse:
        """Return 503 with the seconds after which to try again (RFC 9110, section 10.2.3)."""
        return cls.text(HTTPStatus.SERVICE_UNAVAILABLE, text, Retry_After=str(retry_seconds))

    def all_headers(self) -> dict[str, str]:
        """Return those that every response has, and its own; they say nothing of the connection."""
        return {
            "Server": "listen-queue-exporter",
            "Date": formatdate(usegmt=True),
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **self.headers,
        }

"""A response, before it is written to a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A status, a body and the headers that depend on them.

    The body is present for HEAD as well: Content-Length is that of GET (RFC 9110, section 9.3.2).
    """

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: HTTPStatus, text: str, **headers: str) -> HttpResponse:
        """Return a response in plain text; the newline at its end is added."""
        return cls(status, f"{text}\n".encode(errors="replace"), headers=headers)

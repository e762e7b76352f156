"""The headers by which a client chooses the format and the encoding of a page."""

from __future__ import annotations

from exporter.web.negotiation import TextFormat, accepts_gzip, negotiate
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Negotiate, whatever the two headers are."""
    accept, encoding = (part.decode("latin-1") for part in parts(data, 2))
    assert isinstance(negotiate(accept), TextFormat)
    assert isinstance(accepts_gzip(encoding), bool)


TARGET = Target(
    run,
    max_bytes=8192,
    words=(
        b"application/openmetrics-text",
        b"text/plain",
        b";version=1.0.0",
        b";q=0.5",
        b",",
        b'"\\',
        b"*/*",
        b"gzip",
    ),
)

"""Formats and encodings for Accept and Accept-Encoding headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from exporter.web.negotiation import TextFormat, accepts_gzip, negotiate

_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
_PROMETHEUS_2 = "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        _PROMETHEUS_3,
        _PROMETHEUS_2,
        "application/openmetrics-text",
        "APPLICATION/OpenMetrics-Text ; Version=1.0.0",
        'application/openmetrics-text;version="1.0.0"',
        'application/openmetrics-text;version="1.\\0.0"',
        "application/openmetrics-text;version=0.0.1",
        "text/plain, application/openmetrics-text",
        "text/plain;q=0.9,application/openmetrics-text",
        "application/openmetrics-text, */*;q=0.1",
        "application/openmetrics-text;q=0.5,text/plain;q=0,*/*",
        " , application/openmetrics-text , ",
        'text/html;title="a,b;c", application/openmetrics-text',
        "application/openmetrics-text;q=0.001",
        "application/openmetrics-text;version=2.0.0, application/openmetrics-text;version=1.0.0;q=0.1",
    ],
)
def test_openmetrics_where_it_is_named_with_at_least_the_quality_of_text(accept: str) -> None:
    assert negotiate(accept) is TextFormat.OPENMETRICS


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/*",
        _BROWSER,
        "text/plain;version=0.0.4",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;VERSION=2.0.0",
        "application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text",
        "application/openmetrics-text;q=0.5,text/plain;q=0.6",
        "application/openmetrics-text;q=0.5,text/plain;version=0.0.4;q=0.6",
        "application/openmetrics-text;version=0.0.1,application/openmetrics-text;version=1.0.0;q=0.1,text/plain",
        "application/openmetrics-text;version=1.0.0;q=0.1,application/openmetrics-text;version=0.0.1,text/plain",
        "application/openmetrics-text;q=0.5,text/*",
        "application/openmetrics-text;q=0.5,*/*",
        "application/openmetrics-text;q=0,*/*",
        "application/json",
    ],
)
def test_text_for_any_other_header(accept: str | None) -> None:
    """None, only wildcards, a lower quality for OpenMetrics, or another version."""
    assert negotiate(accept) is TextFormat.TEXT


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;q=high",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=-1",
        "application/openmetrics-text;q=0.1234",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;version",
        'application/openmetrics-text;version="1.0.0',
        "application/openmetrics-text, nonsense",
        "application/openmetrics-text, a/b/c",
        "application/openmetrics-text, /",
        "application/openmetrics-text, text/html; q=.2",
    ],
)
def test_text_for_a_malformed_header(accept: str) -> None:
    """Also where the element for OpenMetrics is well-formed."""
    assert negotiate(accept) is TextFormat.TEXT


@pytest.mark.parametrize(
    "accept_encoding",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "*",
        "deflate, gzip;q=0.5",
        "br;q=0, *;q=0.1",
        "gzip, identity;q=0.5",
        "gzip;q=1.0",
    ],
)
def test_gzip_is_accepted(accept_encoding: str) -> None:
    """By name or by the wildcard."""
    assert accepts_gzip(accept_encoding)


@pytest.mark.parametrize(
    "accept_encoding",
    [
        None,
        "",
        "identity",
        "deflate, br",
        "gzip;q=0",
        "gzip;q=0.0, *",
        "*;q=0",
        "gzip;q=0.5, identity",
        "gzip;q=much",
        "gzipped",
        'gzip;q="',
    ],
)
def test_gzip_is_not_accepted(accept_encoding: str | None) -> None:
    """Not named, with quality 0, with a lower quality than identity, or in a malformed header."""
    assert not accepts_gzip(accept_encoding)


_PIECES = st.sampled_from(
    [
        *',;=/*"\\ \t.',
        "q=",
        "q=1",
        "q=0.5",
        "version=1.0.0",
        "application/openmetrics-text",
        "text/plain",
        "gzip",
    ]
)


@given(st.one_of(st.none(), st.text(), st.lists(_PIECES).map("".join)))
def test_any_header_has_a_format_and_an_encoding(header: str | None) -> None:
    assert negotiate(header) in TextFormat
    assert accepts_gzip(header) in (True, False)


@pytest.mark.parametrize("piece", [";" + " " * 30, "a/b;" * 10, '"', '"\\', 'a/b;a="', ",", "q=;"])
@pytest.mark.timeout(10)
def test_a_long_header_takes_linear_time(piece: str) -> None:
    """With backtracking this would not end."""
    negotiate("a/b" + piece * (16384 // len(piece)) + "!")


def test_content_types_are_those_of_prometheus_client() -> None:
    assert TextFormat.OPENMETRICS.content_type == CONTENT_TYPE_LATEST
    assert TextFormat.TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"

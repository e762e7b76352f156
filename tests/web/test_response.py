"""Responses in plain text."""

from __future__ import annotations

from http import HTTPStatus

from exporter.web.response import HttpResponse


def test_text_ends_with_a_newline_and_takes_headers() -> None:
    assert HttpResponse.text(HTTPStatus.OK, "fine", Allow="GET") == HttpResponse(
        HTTPStatus.OK, b"fine\n", "text/plain; charset=utf-8", {"Allow": "GET"}
    )


def test_text_that_utf_8_cannot_encode_is_replaced() -> None:
    assert HttpResponse.text(HTTPStatus.OK, "\udcff ü").body == "? ü\n".encode()

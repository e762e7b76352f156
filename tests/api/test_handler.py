"""How a document is served."""

from __future__ import annotations

import asyncio
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from exporter.api.handler import DocumentHandler
from exporter.api.query import ListenerQuery
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from tests.web.delivery import FakeDelivery


def echo(query: ListenerQuery) -> dict[str, Any]:
    return {"patterns": list(query.patterns), "name": "ü\\x1b"}


def respond(query: str, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def response() -> HttpResponse:
        with ThreadPoolExecutor(1) as threads:
            handler = DocumentHandler(echo, threads, CpuAllowance(lambda: 1.0))
            return await handler.handle(HttpRequest("GET", "/api", named, FakeDelivery(), query))

    return asyncio.run(response())


def test_the_document_is_json() -> None:
    response = respond("port=80")
    assert (response.status, response.content_type) == (HTTPStatus.OK, "application/json")
    assert json.loads(response.body) == {"patterns": [["port", "80"]], "name": "ü\\x1b"}


def test_it_is_compressed_for_those_who_accept_that() -> None:
    response = respond("", accept_encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(response.body))["patterns"] == []


def test_a_wrong_parameter_gets_400_and_one_line() -> None:
    response = respond("since=never")
    assert response.status == HTTPStatus.BAD_REQUEST
    assert response.body == b"since: 'never' is no duration, such as 30s, 10m or 24h\n"

"""How a document is served."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from exporter.api.handler import DocumentHandler, lists_allowance
from exporter.api.query import ListenerQuery, QueryError
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from tests.web.delivery import FakeDelivery


def echo(query: ListenerQuery) -> dict[str, Any]:
    return {"patterns": list(query.patterns), "name": "ü\\x1b"}


def handler_of(
    document: Callable[[ListenerQuery], dict[str, Any]], threads: Executor, share: float
) -> DocumentHandler:
    """A handler for whose clients there is so much of one core."""
    allowance = CpuAllowance(lambda: share)
    return DocumentHandler(document, threads, allowance, lists_allowance(allowance))


def respond(
    query: str, document: Callable[[ListenerQuery], dict[str, Any]] = echo, **headers: str
) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def response() -> HttpResponse:
        with ThreadPoolExecutor(1) as threads:
            handler = handler_of(document, threads, 1.0)
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
    assert response.body == b"since: 'never' is no duration above 0, such as 30s, 10m or 24h\n"


def test_what_is_wrong_for_what_there_is_now_gets_400_too() -> None:
    def refuse(_query: ListenerQuery) -> dict[str, Any]:
        raise QueryError("clients: too many")

    response = respond("clients=5", document=refuse)
    assert (response.status, response.body) == (HTTPStatus.BAD_REQUEST, b"clients: too many\n")


def test_who_waits_is_asked_for_as_often_as_there_is_processor_time_for_it() -> None:
    """And other documents are served meanwhile."""
    cpu = 0.0

    def busy(query: ListenerQuery) -> dict[str, Any]:
        nonlocal cpu
        cpu += 0.15 if query.clients else 0.0
        return {}

    async def responses() -> list[HttpResponse]:
        with ThreadPoolExecutor(1) as threads:
            allowance = CpuAllowance(lambda: 0.02, lambda: 0.0, lambda: 0.0)
            handler = DocumentHandler(busy, threads, allowance, lists_allowance(allowance), lambda: cpu)
            found = []
            for query in ("clients=5", "clients=5", "port=80"):
                delivery = FakeDelivery()
                found.append(await handler.handle(HttpRequest("GET", "/api", {}, delivery, query)))
                delivery.until_sent.close()
            return found

    first, second, other = asyncio.run(responses())
    assert (first.status, other.status) == (HTTPStatus.OK, HTTPStatus.OK)
    assert second.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert second.body.startswith(b"clients: asked for too often")
    # 0.15 s at a hundredth of a core, of which 0.1 s are there at first; a client waits a little longer.
    assert second.headers["Retry-After"] == "6"

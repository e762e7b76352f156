"""Responses that are made in a thread."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.threaded import ThreadedHandler
from tests.web.delivery import FakeDelivery

THREADS: list[str] = []


def respond(query: str) -> HttpResponse:
    THREADS.append(threading.current_thread().name)
    return HttpResponse.text(HTTPStatus.IM_A_TEAPOT, query, X_Kind="small")


def served(allowance: CpuAllowance, make: Callable[[str], HttpResponse], **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def response() -> HttpResponse:
        with ThreadPoolExecutor(1, "maker") as threads:
            handler = ThreadedHandler(make, threads, allowance)
            return await handler.handle(HttpRequest("GET", "/", named, FakeDelivery(), "a=b"))

    return asyncio.run(response())


def test_it_is_made_in_the_executor_from_the_query() -> None:
    response = served(CpuAllowance(lambda: 1.0), respond)
    assert (response.status, response.body) == (HTTPStatus.IM_A_TEAPOT, b"a=b\n")
    assert dict(response.headers) == {"X-Kind": "small", "Vary": "Accept-Encoding"}
    assert THREADS[-1].startswith("maker")


def test_it_is_compressed_for_those_who_accept_that() -> None:
    response = served(CpuAllowance(lambda: 1.0), respond, accept_encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.body) == b"a=b\n"


def test_its_processor_time_is_charged_to_clients() -> None:
    def slow(query: str) -> HttpResponse:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        return respond(query)

    allowance = CpuAllowance(lambda: 0.01, wall=lambda: 0.0, only_noted=True)
    assert allowance.available
    served(allowance, slow)
    assert not allowance.available


def test_a_third_client_at_the_same_time_is_told_to_come_again() -> None:
    async def responses() -> list[HttpResponse]:
        with ThreadPoolExecutor(1) as threads:
            handler = ThreadedHandler(respond, threads, CpuAllowance(lambda: 1.0))
            deliveries = [FakeDelivery() for _ in range(3)]
            found = [await handler.handle(HttpRequest("GET", "/", {}, each)) for each in deliveries]
            deliveries[0].until_sent.close()
            found.append(await handler.handle(HttpRequest("GET", "/", {}, FakeDelivery())))
            return found

    statuses = [response.status for response in asyncio.run(responses())]
    told, ok = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.IM_A_TEAPOT
    assert statuses == [ok, ok, told, ok]

"""Serves a document as JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, Final

from exporter.api.query import ListenerQuery, QueryError
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.negotiation import accepts_gzip
from exporter.web.places import Places
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse

_COMPRESS_LEVEL: Final = 1
_WAIT_SECONDS: Final = 2.0
# A document may take several megabytes until its client has it.
_MAX_REQUESTS: Final = 2
# To find out who waits may take several hundred milliseconds, beside 200,000 connections or in a full queue
# of thousands: it gets this part of the processor time of clients, and no pause is longer.
_LISTS_PART: Final = 0.5
_LISTS_PAUSE_SECONDS: Final = 5.0


class DocumentHandler:
    """Serves what `document` returns for the parameters of a request, to two clients at the same time."""

    def __init__(
        self,
        document: Callable[[ListenerQuery], dict[str, Any]],
        executor: Executor,
        allowance: CpuAllowance,
    ) -> None:
        """Documents are made in `executor`, and `allowance` is charged with the processor time of that."""
        self._document = document
        self._executor = executor
        self._allowance = allowance
        self._lists_allowance = allowance.part(_LISTS_PART, _LISTS_PAUSE_SECONDS)
        self._places = Places(_MAX_REQUESTS)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the document, 400 for a wrong parameter, or 503 while others are served.

        Some parameters are wrong for what there is just now, which `document` tells by a QueryError.
        """
        try:
            query = ListenerQuery.parse(request.query)
        except QueryError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        if not await self._places.take(request.delivery, _WAIT_SECONDS):
            return HttpResponse.busy("this is served to others; try again later")
        if query.clients is not None:
            pause = 0.0 if self._lists_allowance.available else self._lists_allowance.pause_seconds()
            if pause > _WAIT_SECONDS:
                busy = "clients: asked for too often, for what it takes to find them; try again later"
                return HttpResponse.busy(busy, retry_seconds=math.ceil(pause))
            await asyncio.sleep(pause)
        compressed = accepts_gzip(request.headers.get("accept-encoding"))
        loop = asyncio.get_running_loop()
        response, seconds = await loop.run_in_executor(
            self._executor, lambda: self._response(query, compressed=compressed)
        )
        self._allowance.spend(seconds)
        if query.clients is not None:
            self._lists_allowance.spend(seconds)
        return response

    def _response(self, query: ListenerQuery, *, compressed: bool) -> tuple[HttpResponse, float]:
        """Return the response, and the processor time that it took."""
        before = time.thread_time()
        try:
            body = self._body(query, compressed=compressed)
        except QueryError as error:
            response = HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        else:
            encoding = {"Content-Encoding": "gzip"} if compressed else {}
            headers = {"Vary": "Accept-Encoding"} | encoding
            response = HttpResponse(HTTPStatus.OK, body, "application/json", headers)
        return response, time.thread_time() - before

    def _body(self, query: ListenerQuery, *, compressed: bool) -> bytes:
        text = json.dumps(self._document(query), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        body = text.encode("utf-8", "surrogateescape")
        return gzip.compress(body, _COMPRESS_LEVEL, mtime=0) if compressed else body

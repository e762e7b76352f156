"""Serves a document as JSON."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, Final

from exporter.api.query import ListenerQuery, QueryError
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.threaded import WAIT_SECONDS, ThreadedHandler

# To find out who waits may take several hundred milliseconds, beside 200,000 connections or in a full queue
# of thousands: it gets this part of the processor time of clients, and no pause is longer.
_LISTS_PART: Final = 0.5
_LISTS_PAUSE_SECONDS: Final = 5.0


def lists_allowance(allowance: CpuAllowance) -> CpuAllowance:
    """Return the part of `allowance` for all that find out who waits, together."""
    return allowance.part(_LISTS_PART, _LISTS_PAUSE_SECONDS)


class DocumentHandler:
    """Serves what `document` returns for the parameters of a request."""

    def __init__(
        self,
        document: Callable[[ListenerQuery], dict[str, Any]],
        executor: Executor,
        allowance: CpuAllowance,
        lists_allowance: CpuAllowance,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """Documents are made in `executor`, and `allowance` is charged with the processor time of that.

        Those with clients are charged to `lists_allowance` as well. `cpu` is the clock of the thread of
        `executor`, which calls it, in seconds.
        """
        self._document = document
        self._handler = ThreadedHandler(self._respond, executor, allowance, cpu)
        self._lists_allowance = lists_allowance

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the document, 400 for a wrong parameter, or 503 while others are served.

        Some parameters are wrong for what there is just now, which `document` tells by a QueryError.
        """
        if not _asks_for_clients(request.query):
            return await self._handler.handle(request)
        pause = 0.0 if self._lists_allowance.available else self._lists_allowance.pause_seconds()
        if pause > WAIT_SECONDS:
            busy = "clients: asked for too often, for what it takes to find them; try again later"
            return HttpResponse.busy(busy, retry_seconds=math.ceil(pause))
        await asyncio.sleep(pause)
        return await self._handler.handle(request, self._lists_allowance)

    def _respond(self, query: str) -> HttpResponse:
        try:
            document = self._document(ListenerQuery.parse(query))
        except QueryError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return HttpResponse(HTTPStatus.OK, text.encode("utf-8", "surrogateescape"), "application/json")


def _asks_for_clients(query: str) -> bool:
    try:
        return ListenerQuery.parse(query).clients is not None
    except QueryError:
        return False

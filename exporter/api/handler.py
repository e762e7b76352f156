"""Serves a document as JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
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
        self._places = Places(_MAX_REQUESTS)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the document, 400 for a wrong parameter, or 503 while others are served."""
        try:
            query = ListenerQuery.parse(request.query)
        except QueryError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        if not await self._places.take(request.delivery, _WAIT_SECONDS):
            return HttpResponse.busy("this is served to others; try again later")
        compressed = accepts_gzip(request.headers.get("accept-encoding"))
        loop = asyncio.get_running_loop()
        body, seconds = await loop.run_in_executor(
            self._executor, lambda: self._body(query, compressed=compressed)
        )
        self._allowance.spend(seconds)
        encoding = {"Content-Encoding": "gzip"} if compressed else {}
        headers = {"Vary": "Accept-Encoding"} | encoding
        return HttpResponse(HTTPStatus.OK, body, "application/json", headers)

    def _body(self, query: ListenerQuery, *, compressed: bool) -> tuple[bytes, float]:
        before = time.thread_time()
        text = json.dumps(self._document(query), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        body = text.encode("utf-8", "surrogateescape")
        if compressed:
            body = gzip.compress(body, _COMPRESS_LEVEL, mtime=0)
        return body, time.thread_time() - before

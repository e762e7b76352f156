"""Serves a document as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any

from exporter.api.query import ListenerQuery, QueryError
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.threaded import ThreadedHandler


class DocumentHandler:
    """Serves what `document` returns for the parameters of a request."""

    def __init__(
        self,
        document: Callable[[ListenerQuery], dict[str, Any]],
        executor: Executor,
        allowance: CpuAllowance,
    ) -> None:
        """Documents are made in `executor`, and `allowance` is charged with the processor time of that."""
        self._document = document
        self._handler = ThreadedHandler(self._respond, executor, allowance)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the document, 400 for a wrong parameter, or 503 while others are served."""
        return await self._handler.handle(request)

    def _respond(self, query: str) -> HttpResponse:
        try:
            document = self._document(ListenerQuery.parse(query))
        except QueryError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return HttpResponse(HTTPStatus.OK, text.encode("utf-8", "surrogateescape"), "application/json")

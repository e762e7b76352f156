"""Responses that take time to make: made in a thread, and charged to those who ask for them."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.negotiation import accepts_gzip
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.response_limit import ResponseLimit

_COMPRESS_LEVEL: Final = 1
# For as long a client waits until it is told to come again.
WAIT_SECONDS: Final = 2.0
# A response may take several megabytes until its client has it.
_MAX_REQUESTS: Final = 2


class ThreadedHandler:
    """Serves what `respond` returns for the query of a request, to two clients at the same time."""

    def __init__(
        self,
        respond: Callable[[str], HttpResponse],
        executor: Executor,
        allowance: CpuAllowance,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`respond` runs in `executor`, and `allowance` is charged with the processor time of that.

        `cpu` is the clock of the thread of `executor`, which calls it, in seconds.
        """
        self._respond = respond
        self._executor = executor
        self._allowance = allowance
        self._cpu = cpu
        self._response_limit = ResponseLimit(_MAX_REQUESTS)

    async def handle(self, request: HttpRequest, part: CpuAllowance | None = None) -> HttpResponse:
        """Return the response, in gzip where the client accepts it, or 503 while others are served.

        `part` of the allowance is charged as well.
        """
        if not await self._response_limit.take(request.delivery, WAIT_SECONDS):
            return HttpResponse.busy("this is served to others; try again later")
        compressed = accepts_gzip(request.headers.get("accept-encoding"))
        response, seconds = await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: self._timed(request.query, compressed=compressed)
        )
        self._allowance.spend(seconds)
        if part is not None:
            part.spend(seconds)
        return response

    def _timed(self, query: str, *, compressed: bool) -> tuple[HttpResponse, float]:
        before = self._cpu()
        response = self._respond(query)
        headers = {"Vary": "Accept-Encoding", **response.headers}
        body = response.body
        if compressed:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, _COMPRESS_LEVEL, mtime=0)
        return replace(response, body=body, headers=headers), self._cpu() - before

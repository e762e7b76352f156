"""A path that is served, and what handles its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse

READ_METHODS = ("GET", "HEAD")


class Handler(Protocol):
    """Handles the requests of one route."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the response. Runs in the event loop, so what takes time belongs into a thread.

        To a HEAD it responds as to a GET: the server leaves the body out.
        """
        ...


@dataclass(frozen=True, slots=True)
class PageLink:
    """An entry in the list of links of the page at `/`."""

    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is compared byte by byte; any method that is not in `methods` gets status 405.

    `link` puts the route into the links of the page at `/`.
    """

    path: str
    handler: Handler
    methods: tuple[str, ...] = READ_METHODS
    link: PageLink | None = None

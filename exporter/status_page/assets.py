"""The style sheet and the script of the pages, at paths of their own: a page has neither inline."""

from __future__ import annotations

import gzip
import hashlib
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from exporter.web.negotiation import accepts_gzip
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse

_FOLDER: Final = files(__package__)
# The address of another version is another one.
_CACHE: Final = "private, max-age=86400, immutable"


class Asset:
    """Serves a file at `path`, whatever the query."""

    def __init__(self, path: str, content_type: str, body: bytes) -> None:
        self.path = path
        self._content_type = content_type
        self._body = body
        self._compressed = gzip.compress(body, mtime=0)

    @property
    def address(self) -> str:
        """The link to this version of it, relative to a page."""
        return f".{self.path}?v={hashlib.sha256(self._body).hexdigest()[:12]}"

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the file."""
        headers = {"Cache-Control": _CACHE, "Vary": "Accept-Encoding"}
        if not accepts_gzip(request.headers.get("accept-encoding")):
            return HttpResponse(HTTPStatus.OK, self._body, self._content_type, headers)
        headers["Content-Encoding"] = "gzip"
        return HttpResponse(HTTPStatus.OK, self._compressed, self._content_type, headers)


# Read when they are imported: later the user of the exporter may not be allowed to.
STYLE: Final = Asset("/static/page.css", "text/css; charset=utf-8", (_FOLDER / "page.css").read_bytes())
SCRIPT: Final = Asset("/static/page.js", "text/javascript; charset=utf-8", (_FOLDER / "page.js").read_bytes())

"""One request and its response, as bytes. h11 knows the protocol; nothing here does input or output."""

from __future__ import annotations

import re
from functools import cached_property
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import h11

from exporter.web.limits import Limits
from exporter.web.request import Delivery, HttpRequest
from exporter.web.response import HttpResponse

_MAX_QUOTED: Final = 160
# To parse a line takes more than to read it, and what comes of it a hundred times its memory.
_MAX_HEADER_LINES: Final = 100
# Where h11 sees the end of a head.
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")


class HttpError(Exception):
    """A request that is not served; the text tells its client why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Exchange:
    """Takes the bytes of a client up to the end of its request, and makes those of the response."""

    def __init__(self, limits: Limits, received: bytes = b"") -> None:
        """`received` is what arrived behind the request before."""
        self._limits = limits
        self._request: h11.Request | None = None
        self._path = ""
        self._query = ""
        self._received_bytes = 0
        # Of the head, as far as it has arrived.
        self._lines = 0
        self._last_bytes = b""
        self._has_all_lines = False
        self.receive(received)

    @cached_property
    def _http(self) -> h11.Connection:
        """Made for the first byte: a connection ends with an exchange of which none comes."""
        return h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.header_bytes)

    @property
    def received_bytes(self) -> int:
        """How much has arrived, without empty lines before the request."""
        return self._received_bytes

    @property
    def has_head(self) -> bool:
        """Whether request line and headers have arrived."""
        return self._request is not None

    @property
    def may_continue(self) -> bool:
        """Whether the response is complete, and another request may follow on the connection."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    @property
    def rest(self) -> bytes:
        """What has arrived behind the request."""
        return self._http.trailing_data[0]

    def receive(self, data: bytes) -> None:
        """Keep what a client has sent."""
        if not self._received_bytes:
            # RFC 9112, section 2.2; h11 ignores no empty line.
            data = data.lstrip(b"\r\n")
        # To h11 no bytes would mean the end of the stream.
        if data:
            self._received_bytes += len(data)
            self._count_lines(data)
            self._http.receive_data(data)

    def _count_lines(self, data: bytes) -> None:
        if self._has_all_lines:
            return
        known = len(self._last_bytes)
        data = self._last_bytes + data
        end = _BLANK_LINE.search(data)
        self._lines += data.count(b"\n", known, end.end() if end else len(data))
        self._has_all_lines = end is not None
        self._last_bytes = data[-2:]

    def read(self) -> bool:
        """Return whether the request has arrived; its body is discarded, since no route has a use for one.

        Raises HttpError, also for what cannot become a request, such as the first bytes of TLS.
        """
        if self._lines > _MAX_HEADER_LINES:
            text = f"a header has {_MAX_HEADER_LINES} lines at most"
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)
        try:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._path, self._query = self._checked(event)
                self._request = event
                event = self._http.next_event()
            while isinstance(event, h11.Data):
                event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise self._refusal(error) from None
        return isinstance(event, h11.EndOfMessage)

    def request(self, delivery: Delivery) -> HttpRequest:
        """Return the request that has arrived."""
        if self._request is None:
            raise RuntimeError("no request has arrived")
        headers: dict[str, str] = {}
        for raw_name, raw_value in self._request.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return HttpRequest(self._request.method.decode("ascii"), self._path, headers, delivery, self._query)

    def respond(self, response: HttpResponse, *, close: bool) -> tuple[bytes, bytes]:
        """Return head and body of the response, whether or not a request has arrived.

        The body is not copied; to HEAD it is empty. `close` announces that no other request is served.
        """
        headers = list(response.all_headers().items())
        if close:
            headers.append(("Connection", "close"))
        reason = response.status.phrase.encode("ascii")
        start = h11.Response(status_code=response.status.value, headers=headers, reason=reason)
        head = self._http.send(start)
        body = b""
        if self._request is None or self._request.method != b"HEAD":
            body = response.body
            self._http.send_with_data_passthrough(h11.Data(data=body))
        self._http.send(h11.EndOfMessage())
        return head, body

    def _checked(self, request: h11.Request) -> tuple[str, str]:
        """Return path and query of a request that is served. Raises HttpError."""
        limits = self._limits
        # h11 knows of a limit only while the head is incomplete.
        if self._received_bytes - len(self.rest) > limits.header_bytes:
            raise self._too_large()
        if not request.http_version.startswith(b"1."):
            raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 and HTTP/1.0 are spoken")
        headers = dict(request.headers)
        if b"transfer-encoding" in headers:
            raise HttpError(HTTPStatus.LENGTH_REQUIRED, "a body needs a Content-Length")
        body_bytes = int(headers.get(b"content-length", b"0"))
        if body_bytes and b"expect" in headers and request.http_version != b"1.0":
            # RFC 9110, section 10.1.1: the client repeats the request without.
            raise HttpError(HTTPStatus.EXPECTATION_FAILED, "send the body at once, without Expect")
        if body_bytes > limits.body_bytes:
            text = f"a body has {limits.body_bytes} bytes at most"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
        return _path_and_query(request.target.decode("ascii"))

    def _refusal(self, error: h11.RemoteProtocolError) -> HttpError:
        status = HTTPStatus(error.error_status_hint)
        if status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            return self._too_large()
        # It quotes the line, which may be long.
        return HttpError(status, f"this is no request of HTTP/1.1: {str(error)[:_MAX_QUOTED]}")

    def _too_large(self) -> HttpError:
        text = f"a header has {self._limits.header_bytes} bytes at most"
        return HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)


def _path_and_query(target: str) -> tuple[str, str]:
    """Return both parts of a request target (RFC 9112, section 3.2). Raises HttpError."""
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return path, query
    try:
        parts = urlsplit(target)
    except ValueError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "malformed request target") from None
    return parts.path or "/", parts.query

"""One request over HTTP: with a limit for the whole of it, and to the origin that was given alone."""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from functools import partial
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection
from typing import IO, Any
from urllib.parse import SplitResult
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_Origin = tuple[str, str, int | None]


def opener(address: SplitResult, seconds: float) -> OpenerDirector:
    """Return what sends requests to this address. From now on all of them together have so many seconds.

    It follows no redirect: it raises HTTPError for one. An address of this host is asked without a proxy,
    whatever the environment says; a proxy would look for it on its own host.
    """
    until = time.monotonic() + seconds
    proxies = [ProxyHandler({})] if _is_local(address.hostname or "") else []
    return build_opener(_Http(until), _Https(until), _NoRedirects(), *proxies)


def origin(address: SplitResult) -> _Origin:
    """Return the scheme, the host and the port of an address. Raises ValueError for a wrong port."""
    port = address.port or _DEFAULT_PORTS.get(address.scheme)
    return address.scheme, (address.hostname or "").rstrip("."), port


def _is_local(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


class _NoRedirects(HTTPRedirectHandler):
    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> None:
        """Return None, which makes urllib raise HTTPError."""

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Http(HTTPHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_limited, HTTPConnection, self._until), req)


class _Https(HTTPSHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_limited, HTTPSConnection, self._until), req)


def _limited(kind: type[HTTPConnection], until: float, host: str, **_: object) -> HTTPConnection:
    """Return a connection for answers until a time in monotonic seconds."""
    made = kind(host, timeout=_left(until))
    made.response_class = partial(_Response, until=until)  # type: ignore[assignment]
    return made


class _Response(HTTPResponse):
    """A response that has to be there in full at a time; http.client limits each read alone."""

    def __init__(self, sock: socket.socket, *arguments: Any, until: float, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        buffered: io.BufferedReader = self.fp
        self.fp = io.BufferedReader(_Timed(sock, buffered.detach(), until))


class _Timed(io.RawIOBase):
    def __init__(self, sock: socket.socket, stream: io.RawIOBase, until: float) -> None:
        self._sock = sock
        self._stream = stream
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._until))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _left(until: float) -> float:
    """Return how many seconds there are before a time. Raises TimeoutError where there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left

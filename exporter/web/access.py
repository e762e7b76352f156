"""Who is served, and how often: what the web configuration says about requests."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from exporter.web.passwords import Passwords, TooManyPasswordsError
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.router import Responder
from exporter.web.token_bucket import TokenBucket
from exporter.web.web_settings import WebSettings

# RFC 7617.
_CHALLENGE: Final = 'Basic realm="listen-queue-exporter", charset="UTF-8"'
_SCHEME: Final = "basic "


class Access:
    """Hands requests on to `inner`, where the configuration allows it. Used in one event loop."""

    def __init__(self, inner: Responder, settings: WebSettings, passwords: Passwords) -> None:
        self._inner = inner
        self._settings = settings
        self._passwords = passwords
        self._bucket: TokenBucket | None = None

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """Return the response, or 429 beyond the rate, or 401 without a password."""
        config = self._settings.config
        response = self._refusal_of_rate() or await self._refusal_of_user(request)
        if response is None:
            response = await self._inner.respond(request)
        return replace(response, headers={**config.headers, **response.headers})

    def _refusal_of_rate(self) -> HttpResponse | None:
        limit = self._settings.config.rate_limit
        if limit is None:
            self._bucket = None
            return None
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit)
        if self._bucket.take():
            return None
        text = "more requests than rate_limit of the web configuration allows; try again later"
        retry = str(self._bucket.retry_seconds())
        return HttpResponse.text(HTTPStatus.TOO_MANY_REQUESTS, text, Retry_After=retry)

    async def _refusal_of_user(self, request: HttpRequest) -> HttpResponse | None:
        users = self._settings.config.users
        if not users:
            return None
        given = _credentials(request.headers.get("authorization", ""))
        try:
            if given is not None and await self._passwords.are_right(users, *given):
                return None
        except TooManyPasswordsError:
            return HttpResponse.busy("too many passwords are being compared; try again later")
        text = "a user and a password are needed" if given is None else "wrong user or password"
        return HttpResponse.text(HTTPStatus.UNAUTHORIZED, text, WWW_Authenticate=_CHALLENGE)


def _credentials(header: str) -> tuple[str, bytes] | None:
    """Return user and password of an Authorization header (RFC 7617, section 2); None where it has none."""
    if header[: len(_SCHEME)].lower() != _SCHEME:
        return None
    try:
        decoded = base64.b64decode(header[len(_SCHEME) :].strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None

"""Asks a running exporter over HTTP."""

from __future__ import annotations

import base64
import http.client
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit
from urllib.request import Request

from exporter.cli.foreign_json import parsed
from exporter.cli.http_request import opener, origin
from exporter.cli.table import printable
from exporter.errors import RunError, UsageError

_SHOWN_BYTES: Final = 200
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MAX_REDIRECTS: Final = 5
# What a URL may have as it is (RFC 3986); of a redirect anything else is quoted.
_URL_SAFE: Final = "%/:=&?~#+!$,;'@()*[]"
_LOGIN_HINT: Final = "; --url may have a user and a password, as in http://user:password@host:10511"
_TRUST_HINT: Final = "; the environment variable SSL_CERT_FILE names a file of those to trust"
# X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT to X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE (openssl-verify(1)).
_UNTRUSTED: Final = (18, 19, 20, 21)


def check(url: str) -> SplitResult:
    """Return the parts of the URL of an exporter. Raises UsageError for one that cannot be asked."""
    # A password may stand in front of the host.
    given = url.rpartition("@")[2]
    wrong = UsageError(f"--url: {given!r} is no address of an exporter, such as http://localhost:10511")
    try:
        parts = urlsplit(url)
        # ValueError also for a port that is none, and for a name with an empty or too long label.
        _ = parts.port
        host = (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise wrong from error
    if not host or parts.scheme not in ("http", "https") or " " in url or not url.isprintable():
        raise wrong
    return parts


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How long an answer may take, with redirects, in seconds, and how many bytes it may have."""

    seconds: float = 10.0
    max_bytes: int = 64 * 1024 * 1024


_LIMITS: Final = AnswerLimits()


def document(url: str, path: str, limits: AnswerLimits = _LIMITS) -> dict[str, Any]:
    """Return the JSON object that the exporter at `url` has at `path`, with a query or without.

    User and password may stand in the URL; nobody else gets them. Raises UsageError for a URL that is none,
    and RunError where the exporter does not answer, or answers something else.
    """
    address = check(url)
    at = shown(url)
    try:
        found = parsed(_answer(address, at.rstrip("/") + path, at, limits))
    except http.client.HTTPException as error:
        raise RunError(f"{at} is no listen-queue-exporter: it does not answer in HTTP") from error
    except OSError as error:
        raise RunError(_failure(at, error, limits.seconds)) from error
    except ValueError as error:
        raise RunError(f"{at} is no listen-queue-exporter: its answer is not JSON") from error
    if not isinstance(found, dict):
        raise RunError(f"{at} is no listen-queue-exporter: its answer is not an object of JSON")
    return found


def shown(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _answer(address: SplitResult, url: str, at: str, limits: AnswerLimits) -> bytes:
    """Return the body of the answer, after redirects within the same origin. Raises RunError as well."""
    headers = {}
    if address.username is not None:
        user = f"{unquote(address.username)}:{unquote(address.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    requests = opener(address, limits.seconds)
    for _ in range(_MAX_REDIRECTS):
        try:
            with requests.open(Request(url, headers=headers)) as response:  # noqa: S310 # it was checked
                return _body(response, at, limits.max_bytes)
        except HTTPError as error:
            with error:
                if error.code not in _REDIRECTS or "Location" not in error.headers:
                    raise RunError(_refusal(at, error)) from error
                url = _redirected(address, url, error.headers["Location"], at)
    raise RunError(f"{at} redirects again and again")


def _body(response: http.client.HTTPResponse, at: str, max_bytes: int) -> bytes:
    try:
        body = response.read(max_bytes + 1)
    except http.client.IncompleteRead as error:
        raise RunError(f"{at} stopped in the middle of its answer; try again") from error
    if len(body) > max_bytes:
        raise RunError(f"{at} is no listen-queue-exporter: it answers more than {max_bytes:,} bytes")
    if response.length:
        raise RunError(f"{at} stopped in the middle of its answer; try again")
    return body


def _redirected(address: SplitResult, url: str, location: str, at: str) -> str:
    """Return where a redirect leads. Raises RunError where that is not the origin that was given."""
    try:
        target = urljoin(url, location)
        where, is_same = shown(target), origin(urlsplit(target)) == origin(address)
    except ValueError:
        target, where, is_same = "", location, False
    if not is_same:
        where = printable(where[:_SHOWN_BYTES])
        raise RunError(f"{at} redirects to {where}, which is not followed; give --url the address there")
    return quote(target, safe=_URL_SAFE)


def _refusal(at: str, error: HTTPError) -> str:
    text = ""
    with suppress(OSError, http.client.HTTPException):
        text = printable(error.read(_SHOWN_BYTES).decode(errors="replace").strip())
    hint = _LOGIN_HINT if error.code == http.HTTPStatus.UNAUTHORIZED else ""
    return f"{at} answers {error.code}" + (f": {text}" if text else "") + hint


def _failure(at: str, error: OSError, seconds: float) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return f"no exporter has answered at {at} within {seconds:g} s; --url says where one runs"
    if isinstance(reason, ssl.SSLCertVerificationError):
        hint = _TRUST_HINT if reason.verify_code in _UNTRUSTED else ""
        return f"the certificate of {at} is not trusted: {printable(reason.verify_message)}{hint}"
    return f"no exporter answers at {at}: {printable(str(reason))}; --url says where one runs"

"""Asks a running exporter over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from exporter.cli.table import printable
from exporter.errors import RunError, UsageError

_SECONDS: Final = 10.0
_MAX_BYTES: Final = 64 * 1024 * 1024
_SHOWN_BYTES: Final = 200
_LOGIN_HINT: Final = "; --url may have a user and a password, as in http://user:password@host:10511"
_UNAUTHORIZED: Final = http.HTTPStatus.UNAUTHORIZED


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


def document(url: str, path: str) -> dict[str, Any]:
    """Return the JSON object that the exporter at `url` has at `path`, with a query or without.

    User and password may stand in the URL. Raises UsageError for a URL that is none, and RunError where the
    exporter does not answer, or answers something else.
    """
    address = check(url)
    request = Request(shown(url).rstrip("/") + path)  # noqa: S310 # the scheme was checked
    if address.username is not None:
        user = f"{unquote(address.username)}:{unquote(address.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    at = shown(url)
    try:
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 # the scheme was checked
            body = response.read(_MAX_BYTES)
            if response.length:
                raise RunError(f"{at} stopped in the middle of its answer; try again")
            found = json.loads(body)
    except HTTPError as error:
        with error:
            text = printable(error.read(_SHOWN_BYTES).decode(errors="replace").strip())
        said = f"{at} answers {error.code}" + (f": {text}" if text else "")
        hint = _LOGIN_HINT if error.code == _UNAUTHORIZED else ""
        raise RunError(said + hint) from error
    except http.client.HTTPException as error:
        raise RunError(f"{at} is no listen-queue-exporter: it does not answer in HTTP") from error
    except OSError as error:
        reason = printable(str(getattr(error, "reason", None) or error))
        raise RunError(f"no exporter answers at {at}: {reason}; --url says where one runs") from error
    except ValueError as error:
        raise RunError(f"{at} is no listen-queue-exporter: its answer is not JSON") from error
    if not isinstance(found, dict):
        raise RunError(f"{at} is no listen-queue-exporter: its answer is not an object of JSON")
    return found


def shown(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

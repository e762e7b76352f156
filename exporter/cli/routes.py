"""Every path that the exporter serves: its methods and its handler."""

from __future__ import annotations

import os
import re
from typing import Protocol

from exporter import __version__
from exporter.api.documents import Documents
from exporter.cli.flags import RunFlags
from exporter.errors import UsageError
from exporter.status_page.status_pages import PATHS, StatusPages
from exporter.web.health import HealthyHandler, Readiness, ReadyHandler
from exporter.web.reload import Reloader, ReloadHandler
from exporter.web.route import PageLink, Route
from exporter.web.router import Router
from exporter.web.scrape import ScrapeHandler
from exporter.web.shared_pages import SharedPages

_READY = "/-/ready"
_HEALTHY = "/-/healthy"
_RELOAD = "/-/reload"
_LISTENERS = "/api/v1/listeners"
_HISTORY = "/api/v1/history"
_OTHERS = frozenset({_READY, _HEALTHY, _RELOAD, _LISTENERS, _HISTORY, *PATHS})
# Far below what a client may send as a header.
_MAX_PATH_LENGTH = 512
_SHOWN_LENGTH = 40
# RFC 3986, section 3.3, without percent-encoding, which the router does not decode.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


class ConfigReloader(Reloader, Protocol):
    """Reads the configuration file again, and knows how that went last."""

    @property
    def error(self) -> str | None:
        """What was wrong with the configuration; None where nothing was."""
        ...


def build_router(  # noqa: PLR0913, PLR0917 # each serves some of the routes
    flags: RunFlags,
    pages: SharedPages,
    documents: Documents,
    status_pages: StatusPages,
    sampler: Readiness,
    reloader: ConfigReloader,
) -> Router:
    """Return the router of all routes."""
    telemetry_path = flags.telemetry_path
    routes = [
        Route(
            telemetry_path,
            ScrapeHandler(pages, max_requests=flags.max_requests),
            link=PageLink("Metrics", "what Prometheus scrapes"),
        ),
        Route(
            _READY,
            ReadyHandler(sampler),
            link=PageLink("Ready", "whether there is a sample to serve"),
        ),
        Route(
            _HEALTHY,
            HealthyHandler(),
            link=PageLink("Healthy", "whether the process answers"),
        ),
        Route(
            _LISTENERS,
            documents.listeners,
            link=PageLink("Listeners", "every queue as it is now, as JSON"),
        ),
        Route(
            _HISTORY,
            documents.history,
            link=PageLink("History", "every change of the last minutes, as JSON"),
        ),
        Route(_RELOAD, ReloadHandler(reloader, enabled=flags.lifecycle), methods=("POST",)),
    ]
    routes += status_pages.routes(
        tuple(routes), os.uname().nodename, __version__, lambda: reloader.error is not None
    )
    return Router(routes, not_found=f"there is nothing here; metrics are at {telemetry_path}")


def check_telemetry_path(path: str) -> None:
    """Raise UsageError for a path that is served already, or that no client can ask for."""
    if not path.startswith("/"):
        raise _usage_error(path, "must start with '/', such as /metrics")
    if len(path) > _MAX_PATH_LENGTH:
        shown = f"{path[:_SHOWN_LENGTH]}..."
        raise _usage_error(shown, f"has {len(path)} characters; it may have {_MAX_PATH_LENGTH} at most")
    if path in _OTHERS:
        raise _usage_error(path, "is a page of its own; choose another, such as /metrics")
    if not _PATH.fullmatch(path):
        allowed = "may hold letters, digits and -._~!$&'()*+,;=:@/ only"
        raise _usage_error(path, f"{allowed}, and neither a query nor percent-encoding")
    segments = path.split("/")[1:]
    if {".", ".."} & set(segments):
        # RFC 3986, section 5.2.4: clients take them out.
        raise _usage_error(path, "has a segment '.' or '..', which clients remove before they ask")
    if "" in segments[:-1]:
        # RFC 3986, section 4.2: a link to //name leads to another host, and proxies make one / of several.
        raise _usage_error(path, "has '//', which browsers and proxies take for something else")


def _usage_error(path: str, why: str) -> UsageError:
    return UsageError(f"--web.telemetry-path: {path!r} {why}")

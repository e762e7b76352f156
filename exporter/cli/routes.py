"""Every path that the exporter serves: its methods and its handler."""

from __future__ import annotations

import re

from exporter import __version__
from exporter.cli.flags import RunFlags
from exporter.errors import UsageError
from exporter.web.health import HealthyHandler, Readiness, ReadyHandler
from exporter.web.landing import LandingHandler
from exporter.web.reload import Reloader, ReloadHandler
from exporter.web.route import LandingLink, Route
from exporter.web.router import Router
from exporter.web.scrape import MetricsPage, ScrapeHandler

# RFC 3986, section 3.3, without percent-encoding, which the router does not decode.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


def build_router(flags: RunFlags, page: MetricsPage, sampler: Readiness, reloader: Reloader) -> Router:
    """Return the router of all routes. Raises UsageError where `--web.telemetry-path` cannot be served."""
    telemetry_path = flags.telemetry_path
    routes = [
        Route(
            telemetry_path,
            ScrapeHandler(page, max_requests=flags.max_requests),
            link=LandingLink("Metrics", "what Prometheus scrapes"),
        ),
        Route(
            "/-/ready",
            ReadyHandler(sampler),
            link=LandingLink("Ready", "whether there is a sample to serve"),
        ),
        Route(
            "/-/healthy",
            HealthyHandler(),
            link=LandingLink("Healthy", "whether the process answers"),
        ),
        Route("/-/reload", ReloadHandler(reloader, enabled=flags.lifecycle), methods=("POST",)),
    ]
    routes.append(Route("/", LandingHandler(routes, __version__)))
    _check_telemetry_path(telemetry_path, {route.path for route in routes[1:]})
    return Router(routes, not_found=f"there is nothing here; metrics are at {telemetry_path}")


def _check_telemetry_path(path: str, others: set[str]) -> None:
    if not path.startswith("/"):
        raise UsageError(f"--web.telemetry-path: {path!r} must start with '/', such as /metrics")
    if path in others:
        raise UsageError(
            f"--web.telemetry-path: {path!r} is a page of its own; choose another, such as /metrics"
        )
    if not _PATH.fullmatch(path):
        raise UsageError(
            f"--web.telemetry-path: {path!r} may hold letters, digits and -._~!$&'()*+,;=:@/ only, "
            "and neither a query nor percent-encoding"
        )

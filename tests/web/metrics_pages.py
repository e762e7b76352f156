"""Pages for a ScrapeHandler, and a router that serves one at /metrics."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.health import HealthyHandler
from exporter.web.route import Route
from exporter.web.router import Router
from exporter.web.scrape import ScrapeHandler
from exporter.web.shared_pages import MetricsPage, SharedPages
from tests.web.server_thread import PLENTY, TIMEOUT_SECONDS, router_of

TEXT_PAGE = b"# TYPE demo gauge\ndemo 1\n"
OPENMETRICS_PAGE = b"# TYPE demo gauge\ndemo 1.0\n# EOF\n"
# Far more than the kernel buffers between two sockets on the loopback interface.
LARGE_PAGE = b"demo 1\n" * (32 * 1024 * 1024 // 7)


class SmallPage:
    """A page that differs by format."""

    def write(self, *, openmetrics: bool) -> bytes:
        """Return it at once."""
        return OPENMETRICS_PAGE if openmetrics else TEXT_PAGE


class LargePage:
    """A page that no client gets in one read."""

    def write(self, *, openmetrics: bool) -> bytes:  # noqa: ARG002  (the page is the same in either format)
        """Return it at once."""
        return LARGE_PAGE


class BlockingPage:
    """A page that takes until `release` is set; `entered` counts the calls that wait."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()

    def write(self, *, openmetrics: bool) -> bytes:  # noqa: ARG002  (the page is the same in either format)
        """Return it when `release` is set."""
        self.entered.release()
        assert self.release.wait(TIMEOUT_SECONDS)
        return TEXT_PAGE


def shared(page: MetricsPage, cpu_share: float = PLENTY) -> SharedPages:
    """Return the pages of all scrapes, each rendered in a thread."""
    return SharedPages(page, CpuAllowance(lambda: cpu_share), ThreadPoolExecutor(1))


def metrics_router(page: MetricsPage, *, max_requests: int = 0, wait_seconds: float = 0.05) -> Router:
    """Return a router with `page` at /metrics, and /-/healthy to tell whether the server responds."""
    scrapes = ScrapeHandler(shared(page), max_requests=max_requests, wait_seconds=wait_seconds)
    return router_of(
        Route("/metrics", scrapes),
        Route("/-/healthy", HealthyHandler()),
    )

"""Both pages and what they load, with the handlers that serve them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from exporter.api.documents import Documents
from exporter.status_page.assets import SCRIPT, STYLE
from exporter.status_page.details_handler import DetailsHandler
from exporter.status_page.details_page import DetailsPage
from exporter.status_page.html_page import Site
from exporter.status_page.listener_name import DETAILS_PATH
from exporter.status_page.overview_page import OverviewPage
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.route import Route
from exporter.web.threaded import ThreadedHandler

OVERVIEW_PATH = "/"
PATHS = (OVERVIEW_PATH, DETAILS_PATH, STYLE.path, SCRIPT.path)


class StatusPages:
    """Makes the routes; pages are made in `executor` when they are asked for, and charged to `allowance`."""

    def __init__(self, documents: Documents, executor: Executor, allowance: CpuAllowance) -> None:
        self._documents = documents
        self._executor = executor
        self._allowance = allowance

    def routes(
        self, linked: Sequence[Route], host: str, version: str, reload_failed: Callable[[], bool]
    ) -> list[Route]:
        """Return the routes; the pages link those of `linked` that have a link."""
        site = Site(host, version, STYLE.address, SCRIPT.address, linked)
        overview = OverviewPage(self._documents.overview, site, reload_failed)
        details = DetailsPage(self._documents.details, site)
        return [
            Route(OVERVIEW_PATH, ThreadedHandler(overview.respond, self._executor, self._allowance)),
            Route(
                DETAILS_PATH,
                DetailsHandler(details, self._executor, self._allowance, self._documents.lists_allowance),
            ),
            *(Route(asset.path, asset) for asset in (STYLE, SCRIPT)),
        ]

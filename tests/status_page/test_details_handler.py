"""How often the page about a listener says who waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from exporter.api.details import Details
from exporter.status_page.details_handler import DetailsHandler
from exporter.status_page.details_page import DetailsPage
from exporter.status_page.html_page import Site
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from tests.status_page.shown_host import quiet
from tests.web.delivery import FakeDelivery

NGINX = "netns=host&protocol=tcp&address=10.0.0.1&port=80&process=nginx"
WHO_WAITS = f"{NGINX}&clients=10"
FOUND = "Nobody: no connection waits"
NOT_LOOKED_FOR = "Not looked for this time"


def allowance() -> CpuAllowance:
    """Time that any page uses up, and that is never earned again."""
    return CpuAllowance(lambda: 0.01, wall=lambda: 0.0, only_noted=True, burst_seconds=1e-9)


def served(lists: CpuAllowance, whole: CpuAllowance, *queries: str) -> list[str]:
    """The pages of requests at the same time."""

    async def responses() -> list[HttpResponse]:
        made = quiet()
        page = DetailsPage(Details(made.sampler, made.clock.clock()), Site("web1", "1", "/style", "/script"))
        with ThreadPoolExecutor(1) as threads:
            handler = DetailsHandler(page, threads, whole, lists)
            requests = [HttpRequest("GET", "/listener", {}, FakeDelivery(), query) for query in queries]
            return await asyncio.gather(*(handler.handle(each) for each in requests))

    found = asyncio.run(responses())
    assert {each.status for each in found} == {HTTPStatus.OK}
    return [each.body.decode() for each in found]


def test_only_who_asks_for_clients_is_charged_for_them() -> None:
    lists, whole = allowance(), allowance()
    (page,) = served(lists, whole, NGINX)
    assert (FOUND in page, NOT_LOOKED_FOR in page) == (False, False)
    assert (lists.available, whole.available) == (True, False)
    (page,) = served(lists, whole, WHO_WAITS)
    assert FOUND in page
    assert not lists.available


def test_where_the_part_is_used_up_the_page_comes_without_clients_and_says_so() -> None:
    lists = allowance()
    lists.spend(1.0)
    (page,) = served(lists, allowance(), WHO_WAITS)
    assert (FOUND in page, NOT_LOOKED_FOR in page) == (False, True)
    assert "Accept queue, last 10 minutes" in page


def test_at_the_same_time_clients_are_looked_for_once() -> None:
    plenty = CpuAllowance(lambda: 1000.0)
    pages = served(plenty, plenty, WHO_WAITS, WHO_WAITS, NGINX)
    assert [FOUND in page for page in pages] == [True, False, False]
    assert [NOT_LOOKED_FOR in page for page in pages] == [False, True, False]

"""Floods of clients, in virtual time: who scrapes at intervals is served, and processor time is bounded."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import pytest

from exporter.web.address import ListenAddress
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.limits import Limits
from exporter.web.listening import bind
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route
from exporter.web.router import Responder
from exporter.web.scrape import ScrapeHandler
from exporter.web.server import Server
from exporter.web.shared_pages import SharedPages
from tests.web.priced_socket import PricedSocket
from tests.web.server_thread import router_of
from tests.web.simulated_clients import SCRAPE, Flood, Scraper, SimulatedClient, SimulatedClients
from tests.web.virtual_time import VirtualClock, VirtualLoop

DEFAULTS = Limits()
# What clients may use with the defaults (`Daemon._client_share`), and what all that they cause takes then.
SHARE = 0.016
MAX_SHARE = 0.03
# When floods begin, and how long they last.
BEGINS = 3.0
FLOOD_SECONDS = 20.0
# What a request takes beside its sockets and the event loop: all of it is a millisecond.
REQUEST_SECONDS = 0.0004
# Each of these is from 127.1.0.1 and, with `addresses`, from those that follow it.
FLOOD_ADDRESS = "127.1.0.1"
FLOODS = {
    "2,000 clients that come again at once": Flood(clients=2000, begins=BEGINS),
    "2,000 clients of 200 addresses": Flood(clients=2000, addresses=200, begins=BEGINS),
    "1,000 clients that wait for 5 s": Flood(clients=1000, timeout_seconds=5.0, begins=BEGINS),
    "700 connections that are kept": Flood(clients=700, keeps=True, begins=BEGINS),
    "2,000 clients that say nothing": Flood(clients=2000, request=b"", begins=BEGINS),
    "500 clients with half a header": Flood(clients=500, request=SCRAPE[:-2], begins=BEGINS),
    "200 new connections a second": Flood(rate=200, timeout_seconds=3.0, begins=BEGINS),
    "300 clients with heads of 3,000 lines": Flood(
        clients=300, request=SCRAPE[:-2] + b"a:b\r\n" * 3000 + b"\r\n", begins=BEGINS
    ),
    "300 connections with 400 requests at once": Flood(
        clients=300, request=SCRAPE * 400, keeps=True, begins=BEGINS
    ),
}

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


class Page:
    """A page of usual size that takes some processor time."""

    def __init__(self, seconds: float, clock: VirtualClock) -> None:
        self._seconds = seconds
        self._clock = clock

    def write(self, *, openmetrics: bool) -> bytes:  # noqa: ARG002  (the page is the same in either format)
        self._clock.work(self._seconds)
        return b"x" * 30_000


class OtherThread(Executor):
    """Does all at once, so that it takes no time of the thread of the server."""

    def submit(
        self, fn: Callable[Parameters, Value], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Value]:
        done = Future[Value]()
        done.set_result(fn(*args, **kwargs))
        return done


class PricedRouter:
    """A router in virtual time: to find the route, and to make a response of a page, takes processor time."""

    def __init__(self, router: Responder, clock: VirtualClock) -> None:
        self._router = router
        self._clock = clock

    async def respond(self, request: HttpRequest) -> HttpResponse:
        self._clock.work(REQUEST_SECONDS)
        return await self._router.respond(request)


@dataclass(frozen=True, slots=True)
class Served:
    """How it ended: the time then, and the share of a core that was used from the begin of floods on."""

    at: float
    share: float


def served(*simulated: SimulatedClient, page_seconds: float = 0.001, limits: Limits = DEFAULTS) -> Served:
    """Serve these clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Pages are made in another thread, which has a processor of its own.
    clock, page_clock = VirtualClock(), VirtualClock()
    sockets = [PricedSocket(each, clock) for each in bind([ListenAddress("127.0.0.1", 0)])]
    clients = SimulatedClients(sockets[0].getsockname()[1], *simulated)

    async def serve() -> Served:
        allowance = CpuAllowance(lambda: SHARE, clock.now, clock.cpu)
        page = Page(page_seconds, page_clock)
        pages = SharedPages(page, allowance, OtherThread(), clock=clock.now, cpu=page_clock.cpu)
        router = router_of(Route("/metrics", ScrapeHandler(pages, max_requests=40)))
        server = Server(PricedRouter(router, clock), sockets, allowance, limits)
        server.start()
        await asyncio.sleep(BEGINS - clock.now())
        begun, cpu = clock.now(), clock.cpu() + page_clock.cpu()
        await asyncio.sleep(FLOOD_SECONDS)
        used = clock.cpu() + page_clock.cpu() - cpu
        result = Served(clock.now(), used / (clock.now() - begun))
        clients.close()
        await server.stop()
        return result

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, clients)) as runner:
        return runner.run(serve())


@pytest.mark.netns
@pytest.mark.parametrize("kind", FLOODS)
def test_who_scrapes_at_intervals_waits_for_nobody_in_a_flood(kind: str) -> None:
    """On a connection that it keeps, also from the address of the flood, and on new ones from another."""
    kept = Scraper(FLOOD_ADDRESS, keeps=True)
    new = Scraper("127.0.0.9", begins=0.3)
    end = served(kept, new, FLOODS[kind])
    for scraper in (kept, new):
        assert not scraper.failures
        assert max(scraper.waited(end.at)) < 1.0
        assert len(scraper.seconds) >= FLOOD_SECONDS / 2
    assert end.share < MAX_SHARE


@pytest.mark.netns
@pytest.mark.parametrize("kind", ["2,000 clients that come again at once", "700 connections that are kept"])
def test_who_scrapes_on_new_connections_from_the_address_of_the_flood_is_served_too(kind: str) -> None:
    """Nothing tells it from the flood: it comes later than those who wait, and is served before them."""
    scraper = Scraper(FLOOD_ADDRESS, begins=0.3)
    end = served(scraper, FLOODS[kind])
    assert not scraper.failures
    assert max(scraper.waited(end.at)) < 2.0


@pytest.mark.netns
def test_more_scrapers_than_there_is_time_for_keep_out_neither_a_rare_one_nor_a_new_one() -> None:
    """Each of them asks once a second, on more connections than there are places."""
    kept = Scraper(FLOOD_ADDRESS, keeps=True, interval_seconds=3.0)
    new = Scraper(FLOOD_ADDRESS, begins=0.3)
    flood = Flood(clients=100, keeps=True, pause_seconds=1.0, begins=BEGINS)
    end = served(kept, new, flood, limits=Limits(connections=50))
    for scraper in (kept, new):
        assert not scraper.failures
        assert max(scraper.waited(end.at)) < 2.0


@pytest.mark.netns
def test_a_regular_scraper_has_the_place_of_a_client_that_has_just_connected() -> None:
    """Nobody else has: such a client may be about to send its request."""
    scraper = Scraper("127.0.0.9", begins=0.3)
    flood = Flood(clients=10, request=b"", begins=BEGINS + 0.15)
    served(scraper, flood, limits=Limits(connections=10))
    assert not scraper.failures
    assert max(scraper.seconds) < 0.2


@pytest.mark.netns
def test_clients_of_one_address_with_some_scrapes_a_second_are_served_at_once() -> None:
    """Each on a new connection. A page takes six times as long as all else: it is shared."""
    scrapers = [Scraper("127.0.0.1", begins=0.21 * number, interval_seconds=0.8) for number in range(4)]
    end = served(*scrapers, page_seconds=0.006)
    for scraper in scrapers:
        assert not scraper.failures
        assert max(scraper.waited(end.at)) < 0.5

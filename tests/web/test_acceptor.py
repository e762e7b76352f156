"""Floods of clients, in virtual time: who scrapes at intervals is served, and processor time is bounded."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass
from http import HTTPStatus

import pytest

from exporter.web.address import ListenAddress
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.listening import bind
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route
from exporter.web.server import Server
from tests.web.crowd import SCRAPE, Crowd, Flood, Member, Scraper
from tests.web.server_thread import router_of
from tests.web.virtual_time import VirtualClock, VirtualLoop

# What clients may use with the defaults (`Daemon._client_share`), and what all that they cause takes then.
SHARE = 0.016
MAX_SHARE = 0.03
# When floods begin, and how long they last.
BEGINS = 3.0
FLOOD_SECONDS = 20.0
# Each of these is from 127.1.0.1 and, with `addresses`, from those that follow it.
FLOOD_ADDRESS = "127.1.0.1"
FLOODS = {
    "2,000 clients that come again at once": Flood(clients=2000, begins=BEGINS),
    "2,000 clients of 200 addresses": Flood(clients=2000, addresses=200, begins=BEGINS),
    "2,000 clients that wait for 5 s": Flood(clients=2000, timeout_seconds=5.0, begins=BEGINS),
    "700 connections that are kept": Flood(clients=700, keeps=True, begins=BEGINS),
    "2,000 clients that say nothing": Flood(clients=2000, request=b"", begins=BEGINS),
    "500 clients with half a header": Flood(clients=500, request=SCRAPE[:-2], begins=BEGINS),
    "300 new connections a second": Flood(rate=300, timeout_seconds=3.0, begins=BEGINS),
}


class Page:
    """A page of usual size that takes some time of another thread."""

    def __init__(self, allowance: CpuAllowance, seconds: float) -> None:
        self._allowance = allowance
        self._seconds = seconds

    async def handle(self, _: HttpRequest) -> HttpResponse:
        self._allowance.spend(self._seconds)
        return HttpResponse.text(HTTPStatus.OK, "x" * 30_000)


@dataclass(frozen=True, slots=True)
class Served:
    """How it ended: the time then, and the share of a core that was used from the begin of floods on."""

    at: float
    share: float


def served(*members: Member, page_seconds: float = 0.0) -> Served:
    """Serve these clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clock, sockets = VirtualClock(), bind([ListenAddress("127.0.0.1", 0)])
    crowd = Crowd(sockets[0].getsockname()[1], *members)

    async def serve() -> Served:
        allowance = CpuAllowance(lambda: SHARE, clock.now, clock.cpu)
        server = Server(router_of(Route("/metrics", Page(allowance, page_seconds))), sockets, allowance)
        server.start()
        await asyncio.sleep(BEGINS - clock.now())
        begun, cpu = clock.now(), clock.cpu()
        await asyncio.sleep(FLOOD_SECONDS)
        result = Served(clock.now(), (clock.cpu() - cpu) / (clock.now() - begun))
        crowd.close()
        await server.stop()
        return result

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, crowd)) as runner:
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
    assert max(scraper.waited(end.at)) < 4.0


@pytest.mark.netns
def test_clients_of_one_address_with_some_scrapes_a_second_are_served_at_once() -> None:
    """Each on a new connection; a page takes four times as long as all else."""
    scrapers = [Scraper("127.0.0.1", begins=0.21 * number, interval_seconds=0.8) for number in range(4)]
    end = served(*scrapers, page_seconds=0.002)
    for scraper in scrapers:
        assert not scraper.failures
        assert max(scraper.waited(end.at)) < 0.5

"""How many responses are sent at the same time."""

from __future__ import annotations

import asyncio

from exporter.web.response_limit import ResponseLimit
from tests.web.delivery import FakeDelivery
from tests.web.server_thread import TIMEOUT_SECONDS


def test_a_place_is_waited_for() -> None:
    """The one that comes first has it as soon as it is free."""

    async def run() -> list[str]:
        places, first = ResponseLimit(1), FakeDelivery()
        assert await places.take(first, 0.0)
        order: list[str] = []

        async def take(name: str) -> None:
            delivery = FakeDelivery()
            assert await places.take(delivery, TIMEOUT_SECONDS)
            order.append(name)
            delivery.until_sent.close()

        waiting = [asyncio.create_task(take(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        first.until_sent.close()
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(run()) == ["a", "b"]


def test_no_place_before_the_timeout() -> None:
    async def run() -> bool:
        places = ResponseLimit(1)
        assert await places.take(FakeDelivery(), 0.0)
        return await places.take(FakeDelivery(), 0.01)

    assert not asyncio.run(run())


def test_a_client_that_stalls_while_others_wait_gives_its_place() -> None:
    async def run() -> bool:
        places, first = ResponseLimit(1), FakeDelivery()
        assert await places.take(first, 0.0)
        waiting = asyncio.create_task(places.take(FakeDelivery(), TIMEOUT_SECONDS))
        await asyncio.sleep(0)
        first.stalled_seconds = 1.0
        return await waiting

    assert asyncio.run(run())


def test_without_a_limit_there_is_always_a_place() -> None:
    async def run() -> bool:
        places = ResponseLimit(0)
        return all([await places.take(FakeDelivery(), 0.0) for _ in range(100)])

    assert asyncio.run(run())

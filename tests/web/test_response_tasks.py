"""Responses that run as tasks."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Coroutine

from exporter.web.response_tasks import ResponseTasks


async def set_event(event: asyncio.Event) -> None:
    event.set()


def test_wait_returns_when_all_tasks_have_ended() -> None:
    async def run() -> bool:
        event, tasks = asyncio.Event(), ResponseTasks()
        tasks.start(set_event(event))
        await tasks.wait(timeout_seconds=30.0)
        return event.is_set()

    assert asyncio.run(run())


def test_wait_returns_after_the_timeout() -> None:
    async def run() -> None:
        tasks = ResponseTasks()
        tasks.start(asyncio.sleep(3600.0))
        await tasks.wait(timeout_seconds=0.01)

    asyncio.run(asyncio.wait_for(run(), 30.0))


def test_without_tasks_wait_returns_at_once() -> None:
    asyncio.run(asyncio.wait_for(ResponseTasks().wait(timeout_seconds=3600.0), 30.0))


def test_a_task_that_has_ended_is_not_kept() -> None:
    async def run() -> Coroutine[None, None, None] | None:
        tasks = ResponseTasks()
        response = set_event(asyncio.Event())
        reference = weakref.ref(response)
        tasks.start(response)
        del response
        await tasks.wait(timeout_seconds=30.0)
        await asyncio.sleep(0)
        gc.collect()
        return reference()

    assert asyncio.run(run()) is None

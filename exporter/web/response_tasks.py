"""The tasks that respond to requests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class ResponseTasks:
    """The responses that the running event loop is working on."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, response: Coroutine[None, None, None]) -> None:
        """Run `response` as a task."""
        task = asyncio.get_running_loop().create_task(response)
        # The event loop itself keeps only a weak reference to a task.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self, timeout_seconds: float) -> None:
        """Return when all tasks have ended, or after the timeout."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)

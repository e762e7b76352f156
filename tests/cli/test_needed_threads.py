"""The end of a thread without which requests would wait for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from exporter.cli.needed_threads import NeededThreads


class Running:
    """A thread that runs until it is told to end."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ended.wait, name=name)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def test_the_end_of_one_that_has_run_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def watch() -> None:
        ended = asyncio.Event()
        threads, page = NeededThreads(0.01), Running("page_0")
        watching = asyncio.create_task(threads.watch(ended.set))
        await asyncio.sleep(0.05)
        assert not threads.lost
        page.end()
        await asyncio.wait_for(ended.wait(), 60)
        await watching
        assert threads.lost

    asyncio.run(watch())
    (line,) = caplog.messages
    assert line == "the thread page_0 has ended; this process ends, to be started anew"


def test_others_may_come_and_go() -> None:
    async def watch() -> None:
        threads, lookup = NeededThreads(0.01), Running("lookup")
        watching = asyncio.create_task(threads.watch(lambda: None))
        await asyncio.sleep(0.05)
        lookup.end()
        await asyncio.sleep(0.05)
        assert not threads.lost
        watching.cancel()

    asyncio.run(watch())

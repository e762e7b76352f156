"""What goes on in another thread beside a test, again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def repeated(work: Callable[[], object], pause_seconds: float = 0.0) -> Iterator[None]:
    """Call `work` in another thread until the end of the block, with a pause before each call.

    The last call has returned by then. What one raises is the last that is called, and raised there.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(pause_seconds):
            work()

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(run)
        try:
            yield
        finally:
            ended.set()
        running.result()

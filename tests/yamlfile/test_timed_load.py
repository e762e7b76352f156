"""Loading what is in files whose file system may not answer."""

from __future__ import annotations

from threading import Event

import pytest

from exporter.errors import RunError
from exporter.yamlfile.timed_load import TimedLoad

TIMEOUT_SECONDS = 30.0


class Disk:
    """A file whose first reading hangs until `answers` is set, and returns what was in the file before."""

    def __init__(self) -> None:
        self.content = "before"
        self.answers = Event()
        self.readings = 0

    def read(self) -> str:
        self.readings += 1
        found = self.content
        if self.readings == 1:
            assert self.answers.wait(TIMEOUT_SECONDS)
        return found


def test_what_an_earlier_call_began_is_not_returned() -> None:
    """The file may have changed since then."""
    disk = Disk()
    timed = TimedLoad("a.yaml", disk.read, 0.5)
    for _ in range(2):
        with pytest.raises(RunError, match=r"not read within 0\.5 s"):
            timed.load()
    assert disk.readings == 1
    disk.content = "after"
    disk.answers.set()
    assert timed.load() == "after"

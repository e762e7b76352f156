"""An error that nobody foresees ends one of the threads."""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from pathlib import Path

import pytest

from testbed import figures
from testbed.waiting import equals, until
from tests.broker.broker_processes import processes, state
from tests.faults.told_exporter import ToldExporter

pytestmark = pytest.mark.netns

CONFIG = "namespaces: {enabled: false}\n"
# What each has to do with. One that waits ends with the next thing that it has to do.
NEEDED = {
    "sampler": ("/metrics", "GET"),
    "page": ("/metrics", "GET"),
    "document": ("/api/v1/listeners", "GET"),
    "reload": ("/-/reload", "POST"),
    "log": ("/-/reload", "POST"),
}


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.fault(
    "an error ends the thread that samples, makes pages or documents, reads the configuration or logs",
    "the exporter ends with status 1, to be started anew; no process is left",
)
def test_a_thread_that_is_needed(name: str, tmp_path: Path) -> None:
    path, method = NEEDED[name]
    with ToldExporter(tmp_path, "--web.enable-lifecycle", config=CONFIG).wait_ready() as exporter:
        assert exporter.request(path, method).status == 200
        family = processes(exporter.pid)
        exporter.tell("break", name)
        began = time.monotonic()
        # It may end before it answers.
        with suppress(OSError, http.client.HTTPException):
            exporter.request(path, method)
        assert exporter.wait() == 1
        figures.note(f"{name}: after {time.monotonic() - began:.1f} s")
        until(lambda: {state(pid) for pid in family.values()} - {"", "Z", "X"}, equals(set()))

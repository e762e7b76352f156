"""The whole page of one known state, byte for byte."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from exporter.metrics.page import Page
from testbed.page import metrics
from testbed.programs import find

GOLDEN = Path(__file__).with_name("golden")
RECORD = "RECORD"

each_format = pytest.mark.parametrize(
    ("name", "openmetrics"), [("text.txt", False), ("openmetrics.txt", True)]
)


@each_format
def test_page_is_the_recorded_one(page: Page, name: str, *, openmetrics: bool) -> None:
    written = page.write(openmetrics=openmetrics)
    recorded = GOLDEN / name
    if os.environ.get(RECORD):
        recorded.write_bytes(written)
    assert written.decode() == recorded.read_text(), (
        f"the page is not {recorded.name} any more; if it should not be, record it anew with "
        f"`{RECORD}=1 pytest tests/metrics` and read the difference before it is committed"
    )


@each_format
def test_recorded_page_can_be_read(name: str, *, openmetrics: bool) -> None:
    text = (GOLDEN / name).read_text()
    assert text.endswith("# EOF\n") is openmetrics
    assert metrics(text).value("listen_queue_accept_length", address="0.0.0.0") == 5.0


def test_recorded_pages_of_both_formats_are_the_same() -> None:
    text, openmetrics = (metrics((GOLDEN / name).read_text()) for name in ("text.txt", "openmetrics.txt"))
    assert text.samples == openmetrics.samples


def test_promtool_finds_nothing_wrong() -> None:
    """Names, units and help are as Prometheus would have them."""
    done = subprocess.run(
        [find("promtool"), "check", "metrics"],
        input=(GOLDEN / "text.txt").read_bytes(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")

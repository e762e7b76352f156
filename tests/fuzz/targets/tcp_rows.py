"""A row of a dump of TCP listeners (struct inet_diag_msg)."""

from __future__ import annotations

from exporter.kernel.family import TCP
from tests.fuzz.listener_rows import check_row
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Decode the row."""
    check_row(TCP.rows, data)


TARGET = Target(run, max_bytes=512)

"""A row of a dump of unix listeners (struct unix_diag_msg)."""

from __future__ import annotations

from exporter.kernel.family import UNIX
from tests.fuzz.listener_rows import check_row
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Decode the row."""
    check_row(UNIX.rows, data)


TARGET = Target(run, max_bytes=512)

"""The answer of another host, which may be no exporter, and each listener in it as a row of a table."""

from __future__ import annotations

from contextlib import suppress

from exporter.cli.foreign_json import parsed
from exporter.cli.show.listener import ShownListener
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Read it; no cell of a row has what a terminal would take for more than a character."""
    with suppress(ValueError):
        found = parsed(data)
        rows = found.get("listeners") if isinstance(found, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                shown = ShownListener(row)
                for cell in (shown.endpoint, shown.netns, shown.owner, shown.count("accept_length")):
                    assert cell.isprintable()


TARGET = Target(
    run,
    max_bytes=4096,
    words=(
        *(b'{"listeners":[{', b"}]}", b'"address":', b'"port":', b'"process":', b'"accept_length":'),
        *(b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"[" * 40, b"null", b"true", b'"\\u001b[2J"'),
        b"\\ud800",
    ),
)

"""Listeners as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.cli import table


def csv_rows(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line of names, and one of these values for each row; what is null is empty."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(map(table.printable, names))
    writer.writerows([_field(row.get(name)) for name in names] for row in rows)
    return lines.getvalue()


def _field(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return table.printable(value)
        case _:
            return table.printable(str(value))

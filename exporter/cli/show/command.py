"""The command: asks for the listeners, and prints them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.api.query import ListenerQuery
from exporter.cli import output, progress, table
from exporter.cli.parser import PROGRAM
from exporter.cli.show.listener import ShownListener
from exporter.cli.show_flags import OutputFormat, ShowFlags
from exporter.cli.terminal import Terminal
from exporter.kernel.netns.host_label import HOST
from exporter.sampling.clock import SYSTEM_CLOCK, Clock

Document = dict[str, Any]


def show(flags: ShowFlags, clock: Clock = SYSTEM_CLOCK) -> int:
    """Print the listeners that are asked for, the worst first, and what could not be seen.

    Return 0, or the status of a monitoring plugin where that is asked for. Raises RunError where the
    listeners cannot be read. What one format needs is imported for it alone: imports take most of the time.
    """
    if flags.output_format is OutputFormat.PROMETHEUS:
        from exporter.cli.show.metrics_page import metrics_page  # noqa: PLC0415

        page, errors = metrics_page(flags.config_file, clock)
        # As bytes: the format is UTF-8, whatever the locale.
        output.write(page)
        _report(_failures(errors))
        return 0
    document = _document(flags, clock)
    rows = [row for row in document["listeners"] if not flags.states or row.get("state") in flags.states]
    status = _print(rows, document, flags)
    _report(_not_seen(document, flags))
    if not rows and flags.output_format is not OutputFormat.CHECK:
        chosen = flags.patterns or flags.states
        _report(["no listener matches the flags" if chosen else "no listener was found"])
    return status


def _document(flags: ShowFlags, clock: Clock) -> Document:
    query = ListenerQuery(flags.patterns, members=flags.members, clients=flags.clients)
    if flags.url is not None:
        from exporter.cli.show import running_exporter  # noqa: PLC0415

        with progress.doing("waiting for the exporter"):
            return running_exporter.document(flags.url, query)
    from exporter.cli.show import host  # noqa: PLC0415

    return host.document(query, flags, clock)


def _print(rows: list[Document], document: Document, flags: ShowFlags) -> int:
    listeners = [ShownListener(row) for row in rows]
    match flags.output_format:
        case OutputFormat.JSON:
            output.write(json.dumps(rows, indent=2) + "\n")
        case OutputFormat.CSV:
            from exporter.cli.show.csv_rows import csv_rows  # noqa: PLC0415

            output.write(csv_rows(_names(rows), rows))
        case OutputFormat.CHECK:
            from exporter.cli.show.plugin import checked  # noqa: PLC0415

            found = checked(listeners, document["errors"], flags.patterns)
            output.write(f"{found.line}\n")
            return found.status
        case _:
            from exporter.cli.show.listing import listing  # noqa: PLC0415

            peaks = flags.url is not None or flags.seconds is not None
            terminal = Terminal.of(sys.stdout, os.environ)
            output.write(listing(listeners, terminal, peaks=peaks) + "\n")
    return 0


def _names(rows: list[Document]) -> list[str]:
    if rows:
        return list(rows[0])
    from exporter.api.listener_row import columns  # noqa: PLC0415

    return columns()


def _not_seen(document: Document, flags: ShowFlags) -> Iterator[str]:
    """Return what was not seen and what it takes to see it; then failures that are not among that."""
    whom = "the exporter does not see" if flags.url is not None else "not seen:"
    needs = [str(each.get("needs")) for each in document["not_seen"]]
    for each, need in zip(document["not_seen"], needs, strict=True):
        yield f"{whom} {each.get('what')}: {need}"
    told = {"owners", "namespaces"} if needs else set()
    yield from _failures(
        each
        for each in document["errors"]
        if str(each.get("source")) not in told and str(each.get("error")) not in needs
    )


def _failures(errors: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    # All sources of a namespace that cannot be entered fail alike.
    for netns, error in dict.fromkeys((str(each.get("netns")), str(each.get("error"))) for each in errors):
        yield error if netns == HOST else f"{table.name(netns)}: {error}"


def _report(lines: Iterable[str]) -> None:
    for line in lines:
        output.write_error(table.printable(f"{PROGRAM}: {line}"))

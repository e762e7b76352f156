"""All that is known of one listener, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.cli import table
from exporter.cli.history import listener_lines
from exporter.cli.show.listener import ShownListener
from exporter.cli.top.recent import ListenerKey, key_of

_QUEUES = (
    ("accept queue", ("accept_length", "accept_limit", "accept_peak_length"), "accept"),
    ("SYN queue", ("syn_recv", "syn_recv_limit", "syn_recv_peak"), "syn_recv"),
)


def find(document: Mapping[str, Any], key: ListenerKey) -> ShownListener | None:
    """Return a listener of a document."""
    found = (ShownListener(row) for row in document["listeners"])
    return next((each for each in found if key_of(each) == key), None)


def detail_lines(listener: ShownListener, history: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines: owner, queues with their thresholds, sockets, and what the recorder has kept."""
    yield f"{listener.endpoint}  {listener.text('protocol')}  {listener.state or 'unknown'}"
    yield f"network namespace {listener.netns}, owner {listener.owner}"
    for title, (length, limit, peak), queue in _QUEUES:
        if listener.number(length) is None and queue != "accept":
            continue
        levels = ((each, listener.text(f"{queue}_{each}")) for each in ("warning", "critical"))
        told = "".join(f", {severity} at {table.printable(level)}" for severity, level in levels if level)
        yield (
            f"{title}: {listener.count(length)} of {listener.count(limit)},"
            f" at most {listener.count(peak)} lately{told}"
        )
    yield f"oldest wait {listener.oldest_wait}, packets dropped {listener.count('drops_total')}"
    yield from _members(listener)
    yield ""
    yield from _history(listener, history)


def _members(listener: ShownListener) -> Iterator[str]:
    if not listener.members:
        return
    yield ""
    rows = [
        (each.count("inode"), each.count("pid"), each.queue, each.count("drops_total"))
        for each in listener.members
    ]
    yield table.table([("SOCKET", "PID", "QUEUE", "DROPS"), *rows], 2)


def _history(listener: ShownListener, history: Mapping[str, Any]) -> Iterator[str]:
    if not history["enabled"]:
        yield "no history: the configuration has recorder: {enabled: false}"
        return
    end, seconds = float(history["time"]), float(history["since_seconds"])
    kept = [each for each in history["listeners"] if key_of(ShownListener(each)) == key_of(listener)]
    if not kept and not history["dropped_changes"]:
        yield "no connection has waited in any of its queues in the last minutes"
    for entry in kept:
        yield from listener_lines(entry, end - seconds, end)
    if history["dropped_changes"]:
        yield "older changes were dropped for lack of memory (recorder.max_mebibytes)"

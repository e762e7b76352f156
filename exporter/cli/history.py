"""`history`: what a running exporter has seen of every queue in the last minutes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

from exporter.api.figures import clock, counted, date, duration, percent
from exporter.api.spikes import spikes
from exporter.cli import output, progress, remote, table
from exporter.cli.history_flags import HistoryFlags
from exporter.cli.sparkline import BLOCKS, sparkline
from exporter.cli.terminal import Terminal
from exporter.errors import RunError

_PATH: Final = "/api/v1/history"
_WIDTH: Final = 40
_SPIKES: Final = 5

Entry = dict[str, Any]
Change = Sequence[Any]


def history(flags: HistoryFlags) -> int:
    """Print what was asked for, the fullest first. Raises RunError where the exporter cannot be asked."""
    given = {"port": flags.port, "since": flags.since}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    with progress.doing("waiting for the exporter"):
        document = remote.document(flags.url, f"{_PATH}?{query}" if query else _PATH)
    if flags.json:
        output.write(json.dumps(document, indent=2) + "\n")
        return 0
    terminal = Terminal.of(sys.stdout, os.environ)
    try:
        lines = list(_lines(document, blocks=terminal.carried(BLOCKS) == BLOCKS))
        known = document["matching"] or document["listeners"] or document["episodes"]
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        # It comes from another host, so it may be anything that JSON has.
        message = (
            f"{remote.shown(flags.url)} is no listen-queue-exporter of this version: its {_PATH} is another"
        )
        raise RunError(message) from error
    if not known:
        raise RunError(f"no listener has the port {flags.port}" if flags.port else "no listener is open")
    output.write("".join(f"{terminal.carried(table.printable(line))}\n" for line in lines))
    return 0


def _lines(document: Entry, *, blocks: bool) -> Iterator[str]:
    if not document["enabled"]:
        yield "The exporter keeps no history: its configuration has recorder: {enabled: false}."
        return
    end, seconds = float(document["time"]), float(document["since_seconds"])
    listeners: list[Entry] = document["listeners"]
    if not listeners and not document["omitted"] and not document["dropped_changes"]:
        yield f"{_nothing_in(document['matching'])} in the last {duration(seconds)}."
    for entry in listeners:
        yield from listener_lines(entry, end - seconds, end, blocks=blocks)
    for entry in document["episodes"]:
        at = float(entry["at"])
        what = f"{entry['queue']} beyond {entry['severity']}, at most {_peak(entry)} in the minute around it"
        day = "" if date(at) == date(end) else f"{date(at)} "
        yield f"{day}{clock(at)}  {_name(entry)}: {what}"
    if document["omitted"]:
        more = counted(document["omitted"], "more has", "more have")
        yield f"{more} changed too often for one answer; ask for one --port."
    if document["dropped_changes"]:
        yield (
            f"{counted(document['dropped_changes'], 'older change was', 'older changes were')} dropped;"
            " recorder.max_mebibytes in the"
            " configuration allows no more."
        )


def _nothing_in(matching: int) -> str:
    if not matching:
        return "No listener is open now that is asked for, and none had a connection"
    queues = f"the queues of {matching:d} listeners" if matching > 1 else "the queue"
    return f"No connection was seen in {queues}"


def listener_lines(entry: Entry, begin: float, end: float, *, blocks: bool = True) -> Iterator[str]:
    """Return what one queue did between two times, in Unix seconds: its peak, a bar for each part, spikes."""
    changes: list[Change] = entry["changes"]
    yield f"{_name(entry)}  {entry['queue']}: at most {_peak(entry)}"
    bars = sparkline(_heights(changes, begin, end, entry["peak_length"] or 0), blocks=blocks)
    yield f"  {duration(end - begin)} ago [{bars}] now"
    for spike in spikes(changes, end)[:_SPIKES]:
        yield f"  {clock(spike.begin)}  {spike.length} for {duration(spike.end - spike.begin)}"


def _heights(changes: Sequence[Change], begin: float, end: float, peak: int) -> list[float]:
    """Return for each part of the time the longest that the queue was in it, as a share of the peak."""
    highest = [0] * _WIDTH
    step = (end - begin) / _WIDTH
    if step <= 0:
        return [0.0] * _WIDTH
    for change, following in pairwise([*changes, (end, 0, 0.0)]):
        first = int((max(float(change[0]), begin) - begin) / step)
        last = int((max(float(following[0]), begin) - begin) / step)
        for index in range(first, min(last, _WIDTH - 1) + 1):
            highest[index] = max(highest[index], change[1] or 0)
    return [length / max(peak, 1) for length in highest]


def _name(entry: Entry) -> str:
    netns = "" if entry["netns"] == "host" else f"  {table.name(entry['netns'])}"
    process = f"  {table.name(entry['process'])}" if entry["process"] else ""
    return f"{table.endpoint(entry['address'], entry['port'])}{netns}{process}"


def _peak(entry: Entry) -> str:
    length, ratio, limit = entry["peak_length"], entry["peak_ratio"], entry["limit"]
    if length is None:
        return "unknown"
    # An accept queue admits one connection more than its backlog; the limit of a SYN queue is what it admits.
    name = "backlog" if entry["queue"] == "accept" else "limit"
    most = "" if limit is None else f", {name} {limit}"
    return f"{length}{most}{'' if ratio is None else f' ({percent(ratio)} full)'}"

"""Who waits at a listener, below its row in the table of `show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from exporter.api.client_remarks import remarks
from exporter.cli import table
from exporter.cli.terminal import Terminal
from exporter.cli.wrapping import wrapped

Document = Mapping[str, Any]

_INDENT: Final = "    "
_COLUMNS: Final = ("CLIENT", "WAITING", "HALF-OPEN", "OLDEST", "ADDRESSES")
_NAME_COLUMNS: Final = 1
_ANY_WIDTH: Final = Terminal()


def lines(row: Document, terminal: Terminal = _ANY_WIDTH) -> list[str]:
    """Return what is printed below the row of one listener; nothing where its clients were not asked for.

    They are as wide as the terminal at most. The row may come from another host, so it may be anything that
    JSON has.
    """
    if "clients" not in row:
        return []
    try:
        found = list(_lines(row, row["clients"], terminal))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        found = _wrapped("clients are not known: the answer of the exporter has another form", terminal)
    return [f"{_INDENT}{each}" for each in found]


def _lines(row: Document, clients: Document, terminal: Terminal) -> Iterator[str]:
    counted = row["accept_length"] != 0 or bool(row["syn_recv"])
    if "error" in clients:
        # An empty queue has no clients, whether they can be told or not.
        if counted:
            yield from _wrapped(f"clients are not known: {table.printable(clients['error'])}", terminal)
        return
    if clients["waiting"] or clients["syn_recv"]:
        yield from _wrapped(_total(clients), terminal)
        yield from _client_table(clients, terminal).split("\n")
    elif counted and not clients["unseen"]:
        yield from _wrapped("no client is left of those that the sample counted", terminal)
    for remark in _remarks(clients):
        yield from _wrapped(remark, terminal)


def _wrapped(line: str, terminal: Terminal) -> list[str]:
    text = terminal.carried(line)
    width = _width(terminal)
    return [text] if width is None else wrapped(text, width, following="  ").split("\n")


def _width(terminal: Terminal) -> int | None:
    return None if terminal.width is None else terminal.width - len(_INDENT)


def _total(clients: Document) -> str:
    addresses, networks = (
        len(clients[name]) + clients["omitted"][name] for name in ("addresses", "networks")
    )
    found = f"{clients['waiting']:d} waiting and {clients['syn_recv']:d} half-open connections"
    return f"{found}; addresses: {addresses}, in networks (/24, /64): {networks}"


def _client_table(clients: Document, terminal: Terminal) -> str:
    # A network of one address says nothing more than that address.
    networks = [each for each in clients["networks"] if each["addresses"] > 1]
    return table.table(
        [
            _COLUMNS,
            *(
                (terminal.carried(table.name(each["address"])), *_figures(each), "")
                for each in clients["addresses"]
            ),
            *(
                (terminal.carried(table.name(each["network"])), *_figures(each), f"{each['addresses']:d}")
                for each in networks
            ),
        ],
        _NAME_COLUMNS,
        _width(terminal),
    )


def _figures(count: Document) -> tuple[str, str, str]:
    oldest = count["oldest_wait_seconds"]
    shown = table.NOTHING if oldest is None else f"{oldest:.1f}s"
    return f"{count['waiting']:d}", f"{count['syn_recv']:d}", shown


def _remarks(clients: Document) -> Iterator[str]:
    more = [
        f"{omitted:d} more {one if omitted == 1 else name}"
        for one, name in (("address", "addresses"), ("network", "networks"))
        if (omitted := clients["omitted"][name])
    ]
    if more:
        yield f"not listed: {' and '.join(more)}"
    yield from remarks(clients, "{:d}".format)

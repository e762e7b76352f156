"""Who waits at a listener, below its row in the table of `show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from exporter.api.client_remarks import remarks
from exporter.cli import table

Document = Mapping[str, Any]

_INDENT: Final = "    "
_COLUMNS: Final = ("CLIENT", "WAITING", "HALF-OPEN", "OLDEST", "ADDRESSES")
_NAME_COLUMNS: Final = 1


def lines(row: Document) -> list[str]:
    """Return what is printed below the row of one listener; nothing where its clients were not asked for.

    The row may come from another host, so it may be anything that JSON has.
    """
    if "clients" not in row:
        return []
    try:
        found = list(_lines(row, row["clients"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        found = ["clients are not known: the answer of the exporter has another form"]
    return [f"{_INDENT}{each}" for each in found]


def _lines(row: Document, clients: Document) -> Iterator[str]:
    counted = row["accept_length"] != 0 or bool(row["syn_recv"])
    if "error" in clients:
        # An empty queue has no clients, whether they can be told or not.
        if counted:
            yield f"clients are not known: {table.printable(clients['error'])}"
        return
    if clients["waiting"] or clients["syn_recv"]:
        yield _total(clients)
        yield from _client_table(clients).split("\n")
    elif counted and not clients["unseen"]:
        yield "no client is left of those that the sample counted"
    yield from _remarks(clients)


def _total(clients: Document) -> str:
    addresses, networks = (
        len(clients[name]) + clients["omitted"][name] for name in ("addresses", "networks")
    )
    found = f"{clients['waiting']:d} waiting and {clients['syn_recv']:d} half-open connections"
    return f"{found}; addresses: {addresses}, in networks (/24, /64): {networks}"


def _client_table(clients: Document) -> str:
    # A network of one address says nothing more than that address.
    networks = [each for each in clients["networks"] if each["addresses"] > 1]
    return table.table(
        [
            _COLUMNS,
            *((table.name(each["address"]), *_figures(each), "") for each in clients["addresses"]),
            *((table.name(each["network"]), *_figures(each), f"{each['addresses']:d}") for each in networks),
        ],
        _NAME_COLUMNS,
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

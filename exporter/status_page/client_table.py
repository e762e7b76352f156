"""Who waits at a listener: the section of its page, and the link that asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from exporter.api.client_remarks import remarks
from exporter.api.figures import counted, duration, number
from exporter.status_page import listener_name
from exporter.status_page.markup import Markup, element, joined

Document = Mapping[str, Any]
# Of addresses, and of networks.
_NUMBER: Final = 10
_COLUMNS: Final = (
    ("Client", "client"),
    ("Waiting for accept", "waiting"),
    ("Half-open", "half-open"),
    ("Oldest wait", "wait"),
    ("Addresses", "addresses"),
)
_NOT_FOUND_OUT: Final = (
    "Not looked for this time: that is being done for others, or has taken the processor time that it may."
    " It is tried again when this page is loaded again."
)


def client_section(row: Document, clients: Document | None, *, asked: bool) -> Markup:
    """Return the section, or a link to the page with it where clients are not asked for.

    `clients` is None where they were not looked for. Clients of a unix socket have no address: there is no
    link, and the text is empty.
    """
    if not asked:
        if not row["has_syn_queue"]:
            return joined()
        address = listener_name.details_address(row, clients=_NUMBER)
        return element("p", element("a", "Who waits?", href=address))
    return element(
        "section",
        element("h3", "Who waits", id="clients"),
        *_content(row, clients),
        element("p", element("a", "Hide who waits", href=listener_name.details_address(row))),
        aria_labelledby="clients",
    )


def _content(row: Document, clients: Document | None) -> Iterator[Markup]:
    if clients is None:
        yield _note(_NOT_FOUND_OUT)
    elif "error" in clients:
        yield _note(f"Not known: {clients['error']}.")
    else:
        yield element("p", _total(row, clients))
        if clients["addresses"]:
            yield _table(clients)
        yield from map(_note, _remarks(clients))


def _total(row: Document, clients: Document) -> str:
    waiting, syn_recv = clients["waiting"], clients["syn_recv"]
    if waiting or syn_recv:
        addresses = len(clients["addresses"]) + clients["omitted"]["addresses"]
        connections = counted(syn_recv, "half-open connection")
        return f"{number(waiting)} waiting and {connections} of {counted(addresses, 'address', 'addresses')}."
    if row["accept_length"] == 0 == row["syn_recv"]:
        return "Nobody: no connection waits for accept or is half-open."
    return "No connection was found of those that the sample counted."


def _table(clients: Document) -> Markup:
    # A network of one address says nothing more than that address.
    networks = [each for each in clients["networks"] if each["addresses"] > 1]
    # The roles are said: on a narrow screen the style sheet makes a row a block of its own.
    return element(
        "table",
        element(
            "thead",
            element(
                "tr",
                *(
                    element("th", title, class_=class_, scope="col", role="columnheader")
                    for title, class_ in _COLUMNS
                ),
                role="row",
            ),
            role="rowgroup",
        ),
        element(
            "tbody",
            *(_row(each["address"], each) for each in clients["addresses"]),
            *(_row(each["network"], each, number(each["addresses"])) for each in networks),
            role="rowgroup",
        ),
        role="table",
        aria_labelledby="clients",
    )


def _row(name: str, count: Document, addresses: str = "") -> Markup:
    oldest = count["oldest_wait_seconds"]
    cells = (
        listener_name.isolated(name),
        number(count["waiting"]),
        number(count["syn_recv"]),
        "" if oldest is None else duration(oldest),
        addresses,
    )
    return element(
        "tr",
        *(
            # On a narrow screen the title of the column stands before the figure.
            element("td", cell, class_=class_, role="cell", data_title=title)
            for (title, class_), cell in zip(_COLUMNS, cells, strict=True)
        ),
        role="row",
    )


def _remarks(clients: Document) -> Iterator[str]:
    omitted = clients["omitted"]
    if any(omitted.values()):
        addresses = counted(omitted["addresses"], "address", "addresses")
        yield f"Not listed: {addresses} and {counted(omitted['networks'], 'network')} (/24, /64) more."
    for each in remarks(clients, number):
        yield f"{each[0].upper()}{each[1:]}."


def _note(text: str) -> Markup:
    return element("p", text, class_="note")

"""How a listener is called on a page, and the address of the page about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from exporter.status_page.markup import Markup, element

DETAILS_PATH: Final = "/listener"
LABELS: Final = ("netns", "protocol", "address", "port", "process")
_HOST: Final = "host"


class ListenerLinkError(Exception):
    """An address of a page about a listener that names none; the text says what is wrong."""


def place(row: Mapping[str, Any]) -> str:
    """Return where a listener is: a path or a name alone, or an address and its port, as in `[::1]:80`."""
    address, port = str(row["address"]), str(row["port"])
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def process(row: Mapping[str, Any]) -> Markup | None:
    """Return the program of a listener and the namespace where that is not the host's."""
    netns, name = str(row["netns"]), str(row["process"])
    parts = [isolated(name)] if name else []
    if netns != _HOST:
        parts.append(element("span", "in ", isolated(netns), class_="netns"))
    return Markup(" ".join(parts)) if parts else None


def isolated(name: str) -> Markup:
    """Return a name that somebody chose; what surrounds it keeps its direction of writing."""
    return element("bdi", name)


def link(row: Mapping[str, Any]) -> Markup:
    """Return a link to the page about a listener."""
    query = urlencode([(name, row[name]) for name in LABELS], errors="surrogateescape")
    return element("a", isolated(place(row)), href=f".{DETAILS_PATH}?{query}")


def parse(query: str) -> dict[str, str]:
    """Return the labels of a listener from the query of a link. Raises ListenerLinkError."""
    try:
        given = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=len(LABELS)
        )
    except ValueError as error:
        raise ListenerLinkError(f"cannot read the parameters: {error}") from None
    labels = dict(given)
    unknown = [name for name in labels if name not in LABELS]
    if unknown:
        raise ListenerLinkError(f"unknown parameter {unknown[0]!r}; allowed are {', '.join(LABELS)}")
    missing = [name for name in LABELS if name not in labels]
    if missing:
        raise ListenerLinkError(f"the parameter {missing[0]!r} is missing; links on the page at / have it")
    return labels

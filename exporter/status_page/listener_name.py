"""How a listener is called on a page, and the address of the page about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import exporter.endpoint
from exporter.api.query import LABELS
from exporter.status_page.markup import Markup, element

DETAILS_PATH: Final = "/listener"
_HOST: Final = "host"


def endpoint(row: Mapping[str, Any]) -> str:
    """Return where a listener is."""
    return exporter.endpoint.endpoint(str(row["address"]), str(row["port"]))


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
    return element("a", isolated(endpoint(row)), href=details_address(row))


def details_address(row: Mapping[str, Any], **parameters: int) -> str:
    """Return the address of the page about a listener, with parameters beside its labels."""
    named = [(name, row[name]) for name in LABELS] + list(parameters.items())
    return f".{DETAILS_PATH}?{urlencode(named, errors='surrogateescape')}"

"""What a request for the page about a listener asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl

from exporter.api.query import LABELS, QueryError, number_of_clients

_CLIENTS: Final = "clients"
_NAMES: Final = (*LABELS, _CLIENTS)


class DetailsQueryError(Exception):
    """A query that names no listener, or has a wrong parameter; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class DetailsQuery:
    """The labels of a listener, and how many clients are asked for, None where the page is without them."""

    labels: Mapping[str, str]
    clients: int | None = None

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read the part of a URL behind the `?`. Raises DetailsQueryError."""
        try:
            given = dict(
                parse_qsl(
                    query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=len(_NAMES)
                )
            )
        except ValueError as error:
            raise DetailsQueryError(f"cannot read the parameters: {error}") from None
        unknown = [name for name in given if name not in _NAMES]
        if unknown:
            raise DetailsQueryError(f"unknown parameter {unknown[0]!r}; allowed are {', '.join(_NAMES)}")
        missing = [name for name in LABELS if name not in given]
        if missing:
            raise DetailsQueryError(
                f"the parameter {missing[0]!r} is missing; links on the page at / have it"
            )
        clients = given.pop(_CLIENTS, None)
        try:
            return cls(given, None if clients is None else number_of_clients(clients))
        except QueryError as error:
            raise DetailsQueryError(str(error)) from None

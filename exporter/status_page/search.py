"""The search and the order that a request for the page asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from exporter.api.overview import ORDERS

# Every word is looked for in every listener.
MAX_SEARCH_LENGTH: Final = 100
DEFAULT_ORDER: Final = "worst"
_SEARCH: Final = "search"
_SORT: Final = "sort"


class SearchError(Exception):
    """A parameter that cannot be used; the text says which, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Search:
    """Listeners whose names have all the words of `text`, in `order`, one of ORDERS."""

    text: str = ""
    order: str = DEFAULT_ORDER

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read the part of a URL behind the `?`. Raises SearchError."""
        try:
            given = dict(
                parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=2)
            )
        except ValueError as error:
            raise SearchError(f"cannot read the parameters: {error}") from None
        unknown = sorted(set(given) - {_SEARCH, _SORT})
        if unknown:
            raise SearchError(f"unknown parameter {unknown[0]!r}; allowed are {_SEARCH} and {_SORT}")
        text, order = given.get(_SEARCH, "").strip(), given.get(_SORT, DEFAULT_ORDER)
        if len(text) > MAX_SEARCH_LENGTH:
            raise SearchError(
                f"{_SEARCH}: has {len(text)} characters; at most {MAX_SEARCH_LENGTH} are allowed"
            )
        if order not in ORDERS:
            raise SearchError(f"{_SORT}: {order!r} is none of {', '.join(ORDERS)}")
        return cls(text, order)

    @property
    def words(self) -> list[str]:
        """What is looked for, in lower case."""
        return self.text.lower().split()

    def link(self, order: str) -> str:
        """Return the address of the same search in another order."""
        parameters = {_SEARCH: self.text} if self.text else {}
        if order != DEFAULT_ORDER:
            parameters[_SORT] = order
        return f"./?{urlencode(parameters)}" if parameters else "./"

"""The parameters of a request: which listeners are asked for, and how far back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Self
from urllib.parse import parse_qsl

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MAX_PARAMETERS: Final = 16
MAX_CLIENTS: Final = 100
_NAMES: Final = ("netns", "protocol", "address", "port", "process")


class QueryError(Exception):
    """A parameter that cannot be used; the text says which, and what is allowed."""


@dataclass(frozen=True, slots=True)
class ListenerQuery:
    """Listeners by their labels, each a pattern with * and ?, and the seconds that are looked back.

    `clients` is how many addresses of clients, and how many networks, are asked for of each listener. Both
    are None where the request does not say.
    """

    patterns: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None
    clients: int | None = None

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read the part of a URL behind the `?`. Raises QueryError."""
        try:
            given = parse_qsl(
                query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=_MAX_PARAMETERS
            )
        except ValueError as error:
            raise QueryError(f"cannot read the parameters: {error}") from None
        patterns, seconds, clients = [], None, None
        for name, value in given:
            if name == "since":
                seconds = _seconds(value)
            elif name == "clients":
                clients = _clients(value)
            elif name in _NAMES:
                patterns.append((name, value))
            else:
                allowed = f"{', '.join(_NAMES)}, since and clients"
                raise QueryError(f"unknown parameter {name!r}; allowed are {allowed}")
        return cls(tuple(patterns), seconds, clients)

    def selects(self, labels: dict[str, str]) -> bool:
        """Tell whether a listener with these labels is asked for."""
        return all(_matches(labels[name], pattern) for name, pattern in self.patterns)


def _matches(value: str, pattern: str) -> bool:
    # Of fnmatch's signs only * and ? are meant.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _seconds(value: str) -> float:
    found = _DURATION.fullmatch(value)
    if found is None:
        raise QueryError(f"since: {value!r} is no duration, such as 30s, 10m or 24h")
    return float(found[1]) * _UNIT_SECONDS[found[2]]


def _clients(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_CLIENTS):
        raise QueryError(f"clients: {value!r} is no whole number from 1 to {MAX_CLIENTS}")
    return int(value)

"""The parameters of a request: which listeners are asked for, and how far back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Self
from urllib.parse import parse_qsl

from exporter import durations

_MAX_PARAMETERS: Final = 16
MAX_CLIENTS: Final = 100
# What tells a listener from all others.
LABELS: Final = ("netns", "protocol", "address", "port", "process")


class QueryError(Exception):
    """A parameter that cannot be used; the text says which, and what is allowed."""


@dataclass(frozen=True, slots=True)
class ListenerQuery:
    """Listeners by their labels, each a pattern with * and ?, and the seconds that are looked back.

    `seconds` is None where the request does not say. `members` tells whether each socket of a listener is
    asked for, too. `clients` is how many addresses of clients, and how many networks, are asked for of each
    listener, None for none.
    """

    patterns: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None
    members: bool = False
    clients: int | None = None

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read the part of a URL behind the `?`. Raises QueryError."""
        try:
            given = parse_qsl(
                query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=_MAX_PARAMETERS
            )
        except ValueError:
            form = f"name=value with & between them, {_MAX_PARAMETERS} at most"
            raise QueryError(f"cannot read the parameters; they are {form}") from None
        twice = [name for name, count in Counter(name for name, _ in given).items() if count > 1]
        if twice:
            raise QueryError(f"{twice[0]} is there twice; once is allowed")
        patterns, seconds, members, clients = [], None, False, None
        for name, value in given:
            if name == "since":
                seconds = _seconds(value)
            elif name == "members":
                members = _yes_or_no(value)
            elif name == "clients":
                clients = number_of_clients(value)
            elif name in LABELS:
                patterns.append((name, value))
            else:
                allowed = f"{', '.join(LABELS)}, members, clients and since"
                raise QueryError(f"unknown parameter {name!r}; allowed are {allowed}")
        return cls(tuple(patterns), seconds, members, clients)

    def selects(self, labels: dict[str, str]) -> bool:
        """Tell whether a listener with these labels is asked for."""
        return all(matches(labels[name], pattern) for name, pattern in self.patterns)


def matches(value: str, pattern: str) -> bool:
    """Tell whether a label fits a pattern with * and ?."""
    # Of fnmatch's signs only * and ? are meant.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _yes_or_no(value: str) -> bool:
    if value not in ("true", "false"):
        raise QueryError(f"members: {value!r} is neither true nor false")
    return value == "true"


def _seconds(value: str) -> float:
    found = durations.seconds(value)
    if not found:
        raise QueryError(f"since: {value!r} is no duration above 0, such as 30s, 10m or 24h")
    return found


def number_of_clients(value: str) -> int:
    """Return how many addresses of clients, and networks, are asked for. Raises QueryError."""
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_CLIENTS):
        raise QueryError(f"clients: {value!r} is no whole number from 1 to {MAX_CLIENTS}")
    return int(value)

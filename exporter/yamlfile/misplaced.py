"""Says of a key that is unknown in its mapping where it belongs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """The keys of a mapping, and the places of keys that are not its own.

    `below` has the path, from here, of each key that belongs into exactly one of the mappings under `names`;
    `in_lists` says where to write each key that is one of a mapping in a list, or one of those below that.
    """

    names: Sequence[str]
    below: Mapping[str, str]
    in_lists: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EnclosingMapping:
    """A mapping around another one. `key` is its key that leads to the other, which begins in `column`.

    `in_braces` tells whether it is written in braces, so that columns mean nothing in it.
    """

    path: str
    places: KeyPlaces
    key: str
    column: int
    in_braces: bool

    def __str__(self) -> str:
        *_, last = self.path.split(".")
        if last.endswith("]"):
            return f"the {last.partition('[')[0].removesuffix('s')}"
        return self.path or "the top level"

    def instruction(self) -> str:
        """Return how to write a key in this mapping rather than in the other one."""
        if self.in_braces:
            return f"write it after the value of {self.key}"
        return f"write it on a line of its own, which begins in column {self.column} as {self.key} does"


def unknown_key(name: str, places: KeyPlaces, enclosing: Sequence[EnclosingMapping]) -> str:
    """Return the message about a key that is not one of `places`; the innermost mapping comes first."""
    allowed = f"allowed here are {', '.join(places.names)}"
    if name == "<<":
        return f"merging another mapping in is not allowed; write its keys out ({allowed})"
    return f"unknown key; {_place(name, places, enclosing)}{allowed}"


def closest(text: str, words: Iterable[str]) -> str | None:
    """Return the word that is spelled most like `text`, or None where none is similar."""
    matches = difflib.get_close_matches(text[:60].lower(), list(words), n=1)
    return matches[0] if matches else None


def _place(name: str, places: KeyPlaces, enclosing: Sequence[EnclosingMapping]) -> str:
    """Return where the key belongs, or which one may be meant; nothing where neither is known."""
    if name in places.below:
        return f"did you mean {places.below[name]}? "
    for outer in enclosing:
        if name in outer.places.names:
            return f"{name} belongs to {outer}: {outer.instruction()}; "
        if name in outer.places.below:
            path = ".".join(part for part in (outer.path, outer.places.below[name]) if part)
            return f"did you mean {path}? "
    for each in (places, *(outer.places for outer in enclosing)):
        if name in each.in_lists:
            return f"{each.in_lists[name]}; "
    suggestion = closest(name, places.names)
    return f"did you mean {suggestion}? " if suggestion else ""

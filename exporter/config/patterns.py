"""Sets of globs, compared with names and with each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property


def is_literal(glob: str) -> bool:
    """Return whether a glob has no wildcard, so that it matches only the name that is equal to it."""
    return not any(character in glob for character in "*?[")


class PatternSet:
    """The names that match at least one of several globs."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.globs = tuple(globs)
        self.matches_all = any(set(glob) == {"*"} for glob in self.globs)
        self._distinct = frozenset(self.globs)

    def matches(self, name: str) -> bool:
        """Return whether a name is in the set."""
        return name in self._distinct or self._wildcards.fullmatch(name) is not None

    def covers(self, other: PatternSet) -> bool:
        """Return whether every name in `other` is certainly in this set.

        A glob with wildcards is taken to be covered only by one that is equal to it or matches every name.
        """
        return self.matches_all or all(
            glob in self._distinct or (is_literal(glob) and self.matches(glob)) for glob in other.globs
        )

    @cached_property
    def _wildcards(self) -> re.Pattern[str]:
        # One expression, because to try thousands of them for each of thousands of names takes too long.
        expressions = [translate(glob) for glob in self.globs if not is_literal(glob)]
        return re.compile("|".join(expressions) if expressions else r"(?!)")


ALL_NAMES = PatternSet(("*",))

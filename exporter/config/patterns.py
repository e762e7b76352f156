"""Patterns for names: what `*` and `?` stand for, and sets of patterns, compared with names and each other.

`*` stands for any characters and `?` for one, both for line breaks as well. Every other character stands for
itself, brackets included: they are common in names (`app[1].sock`). Case matters. Every pattern of the
configuration is compiled here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Final

_NO_ESCAPE: Final = re.compile(r"\\(?![*?]|x(?:\*|[0-9a-f?](?:[*]|[0-9a-f?])))")


def is_literal(glob: str) -> bool:
    """Return whether a glob has no wildcard, so that it matches only the name that is equal to it."""
    return "*" not in glob and "?" not in glob


def literal_parts(glob: str) -> list[str]:
    """Return the text before, between and after the wildcards; every matching name has it in this order."""
    return re.split(r"[*?]+", glob)


def escaped(glob: str) -> str:
    r"""Return a glob with each backslash that no name has written as names have it: `\x5c`.

    In names a backslash begins one of `\xNN`, with two lower-case digits (exporter.kernel.text). A wildcard
    may stand for any of that.
    """
    return _NO_ESCAPE.sub(r"\\x5c", glob)


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
        expressions = [_expression(glob) for glob in self.globs if not is_literal(glob)]
        return re.compile("|".join(expressions) if expressions else r"(?!)")


ALL_NAMES = PatternSet(("*",))


@lru_cache(maxsize=8192)
def pattern_set(globs: tuple[str, ...]) -> PatternSet:
    """Return the set of these globs: the same one each time, so that each set is compiled once.

    As many are kept as a configuration with thousands of rules has; every network namespace asks for them.
    """
    return PatternSet(globs)


def _expression(glob: str) -> str:
    # fnmatch.translate makes an expression without exponential backtracking, but knows brackets: `[[]` is the
    # set of the one character `[`, and `]` without `[` stands for itself.
    return translate(glob.replace("[", "[[]"))

"""The selectors in an expression of PromQL, and in which function each of them stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*")|(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>[\d.]+[a-z]*)"""
    r"""|(?P<variable>\$\w+)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],@])|(?P<space>\s+)"""
)
_LABELS_FOLLOW = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_NOT_BEHIND_METRICS = frozenset({"(", "by", "without"})
_KEYWORDS = _LABELS_FOLLOW | {"and", "or", "unless", "bool", "offset", "atan2"}
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)("(?:\\.|[^"\\])*")')


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and its matchers as written; `time` is what stands in brackets, `within` the call."""

    metric: str
    matchers: frozenset[str]
    time: str
    within: str


def selectors(expression: str) -> list[Selector]:
    """Every selector of an expression, in its order. Grafana's variables may stand in it."""
    return list(_Reader(expression).read())


class _Reader:
    def __init__(self, expression: str) -> None:
        self._words = list(_words(expression))
        self._at = 0

    def read(self) -> Iterator[Selector]:
        calls = [""]
        name = ""
        while self._at < len(self._words):
            word = self._take()
            if word == "(":
                calls.append(name)
            elif word == ")":
                calls.pop()
            elif word in _LABELS_FOLLOW:
                if self._next() == "(":
                    self._until(")")
                continue
            elif word[0].isalpha() and word not in _KEYWORDS and self._next() not in _NOT_BEHIND_METRICS:
                yield self._selector(word, calls[-1])
            name = word if word[0].isalpha() else ""

    def _selector(self, metric: str, within: str) -> Selector:
        matchers = self._until("}") if self._next() == "{" else ""
        time = self._until("]") if self._next() == "[" else ""
        written = frozenset("".join(found) for found in _MATCHER.findall(matchers))
        return Selector(metric, written, time.strip("[]"), within)

    def _take(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _until(self, last: str) -> str:
        begun = self._at
        while self._take() != last:
            pass
        return "".join(self._words[begun : self._at])


def _words(expression: str) -> Iterator[str]:
    at = 0
    while at < len(expression):
        found = _WORD.match(expression, at)
        assert found, f"cannot read {expression[at:]!r}"
        at = found.end()
        if found.lastgroup != "space":
            yield found[0]

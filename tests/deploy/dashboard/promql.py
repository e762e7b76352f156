"""The selectors of a PromQL expression, and the function that each of them is the argument of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*")|(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>[\d.]+[a-z]*)"""
    r"""|(?P<variable>\$\w+)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],@])|(?P<space>\s+)"""
)
_LABELS_FOLLOW = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_NOT_BEHIND_METRICS = frozenset({"(", "by", "without"})
_KEYWORDS = _LABELS_FOLLOW | {"and", "or", "unless", "bool", "offset", "atan2"}
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)("(?:\\.|[^"\\])*")')


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and its matchers; `range` is the text in brackets, `function` the function called with it."""

    metric: str
    matchers: frozenset[str]
    range: str
    function: str


def selectors(expression: str) -> list[Selector]:
    """Every selector of an expression, in its order. The expression may contain Grafana's variables."""
    return list(_Parser(expression).parse())


class _Parser:
    def __init__(self, expression: str) -> None:
        self._tokens = list(_tokens(expression))
        self._at = 0

    def parse(self) -> Iterator[Selector]:
        calls = [""]
        name = ""
        while self._at < len(self._tokens):
            part = self._take()
            if part == "(":
                calls.append(name)
            elif part == ")":
                calls.pop()
            elif part in _LABELS_FOLLOW:
                if self._next() == "(":
                    self._until(")")
                continue
            elif part[0].isalpha() and part not in _KEYWORDS and self._next() not in _NOT_BEHIND_METRICS:
                yield self._selector(part, calls[-1])
            name = part if part[0].isalpha() else ""

    def _selector(self, metric: str, function: str) -> Selector:
        matchers = self._until("}") if self._next() == "{" else ""
        range_ = self._until("]") if self._next() == "[" else ""
        written = frozenset("".join(found) for found in _MATCHER.findall(matchers))
        return Selector(metric, written, range_.strip("[]"), function)

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _until(self, last: str) -> str:
        begun = self._at
        while self._take() != last:
            pass
        return "".join(self._tokens[begun : self._at])


def _tokens(expression: str) -> Iterator[str]:
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        assert found, f"cannot read {expression[at:]!r}"
        at = found.end()
        if found.lastgroup != "space":
            yield found[0]

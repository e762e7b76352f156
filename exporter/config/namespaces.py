"""The section `namespaces`: which network namespaces besides its own the exporter looks into."""

from __future__ import annotations

from fnmatch import fnmatchcase

from exporter.config.entry import Entry, Section
from exporter.config.model import Enabled, Namespaces
from exporter.config.values import Flag, Scalar, Text, Whole

NAMESPACES_KEYS = ("enabled", "include", "exclude", "max")

# What every listener of the exporter's own namespace has in its label `netns`.
_OWN = "host"

_PATTERN = Text(
    "write the name of a network namespace, its inode number in quotes,"
    ' or a pattern with * and ?, such as "web-*"'
)
_MOST = Whole(1, 10_000, "write a whole number from 1 to 10000, such as 1000")


class EnabledKind:
    """Reads whether other namespaces are looked into: a YAML boolean, or the word auto."""

    allowed = "write auto, true or false"

    def read(self, scalar: Scalar) -> Enabled:
        """Return the choice; raises WrongValueError."""
        if scalar.text == Enabled.AUTO:
            return Enabled.AUTO
        return Enabled.TRUE if Flag(self.allowed).read(scalar) else Enabled.FALSE


def read_namespaces(section: Section) -> Namespaces:
    """Return the section. What is wrong is noted, and the default stands in its place."""
    usual = Namespaces()
    include, exclude = section.get("include"), section.get("exclude")
    return Namespaces(
        enabled=section.read("enabled", EnabledKind(), usual.enabled),
        include=_patterns(include.one_or_more(_PATTERN.allowed), usual.include) if include else usual.include,
        exclude=_patterns(exclude.any_number(), usual.exclude) if exclude else usual.exclude,
        most=section.read("max", _MOST, usual.most),
    )


def never_seen(patterns: tuple[str, ...], namespaces: Namespaces) -> str | None:
    """Return why no listener can have a `netns` that fits one of `patterns`, or None where one can.

    A pattern that is not a plain name may fit a name that nobody knows yet, so it is judged only
    where no other namespace is looked into.
    """
    if not patterns or any(_may_be_seen(pattern, namespaces) for pattern in patterns):
        return None
    if namespaces.enabled is Enabled.FALSE:
        return f"namespaces.enabled is false, which leaves only {_OWN}; write {_OWN}, or set it to auto"
    return "namespaces.include and namespaces.exclude leave it out; write another name, or change those"


def _may_be_seen(pattern: str, namespaces: Namespaces) -> bool:
    if fnmatchcase(_OWN, pattern):
        return True
    if namespaces.enabled is Enabled.FALSE:
        return False
    plain = not any(character in pattern for character in "*?[")
    return not plain or namespaces.wants(pattern)


def _patterns(entries: list[Entry], usual: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns; `usual` where one of them is wrong, so that no rule is judged by half a list."""
    patterns = [entry.read(_PATTERN) for entry in entries]
    read = tuple(pattern for pattern in patterns if pattern is not None)
    return read if len(read) == len(patterns) else usual

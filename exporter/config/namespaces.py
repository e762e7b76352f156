"""Checks that the namespaces a rule names are sampled."""

from __future__ import annotations

from collections.abc import Callable

from exporter.config.model import Namespaces
from exporter.config.namespace_values import AutoBool
from exporter.config.patterns import PatternSet, is_literal, literal_parts

# The label `netns` of every listener in the exporter's own namespace.
OWN = "host"
_DIGITS = 10


class SampledNamespaces:
    """The names and numbers that namespaces can be matched by."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._others_enabled = namespaces.enabled is not AutoBool.FALSE
        self._included = PatternSet(namespaces.include)
        self._excluded = PatternSet(namespaces.exclude)

    def contradiction(self, globs: tuple[str, ...]) -> str | None:
        """Return why no listener can have a `netns` that matches one of `globs`, or None where one can.

        A glob with wildcards may match a name that is not known yet, so it is rejected only where no other
        namespace is sampled.
        """
        if not globs or PatternSet(globs).matches(OWN) or any(map(self._may_be_sampled, globs)):
            return None
        if not self._others_enabled:
            return f"namespaces.enabled is false, which leaves only {OWN}; write {OWN}, or set it to auto"
        return "namespaces.include and namespaces.exclude leave it out; write another name, or change those"

    def _may_be_sampled(self, glob: str) -> bool:
        if not is_literal(glob) or not self._others_enabled:
            return self._others_enabled
        # What it is the name of may be included by its number, and the other way round.
        by_the_other = _other_form(glob)
        included = self._included.matches(glob) or any(map(by_the_other, self._included.globs))
        return included and not self._excluded.matches(glob)


def is_number(name: str) -> bool:
    """Return whether a name is a number that a namespace can have.

    Those have ten digits (proc_alloc_inum, fs/proc/generic.c), and no label is another number.
    """
    return name.isdecimal() and len(name) == _DIGITS


def may_match_number(glob: str) -> bool:
    """Return whether a glob may match the number of a namespace."""
    digits = "".join(literal_parts(glob))
    return is_number(glob) or (not is_literal(glob) and len(digits) <= _DIGITS and (digits + "0").isdecimal())


def may_match_name(glob: str) -> bool:
    """Return whether a glob may match a label that is no number."""
    return not (is_literal(glob) and glob.isdecimal())


def _other_form(name: str) -> Callable[[str], bool]:
    """Return what tells of a glob whether it may match what else a namespace with this name goes by."""
    if name.isdecimal():
        return may_match_name if is_number(name) else lambda _glob: False
    return may_match_number

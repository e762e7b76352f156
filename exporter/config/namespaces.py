"""Checks that the namespaces a rule names are sampled."""

from __future__ import annotations

from exporter.config.model import Namespaces
from exporter.config.patterns import PatternSet, is_literal
from exporter.config.values import AutoBool

# The label `netns` of every listener in the exporter's own namespace.
_OWN = "host"


class SampledNamespaces:
    """The names that the label `netns` can have."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._others_enabled = namespaces.enabled is not AutoBool.FALSE
        self._included = PatternSet(namespaces.include)
        self._excluded = PatternSet(namespaces.exclude)

    def contradiction(self, globs: tuple[str, ...]) -> str | None:
        """Return why no listener can have a `netns` that matches one of `globs`, or None where one can.

        A glob with wildcards may match a name that is not known yet, so it is rejected only where no other
        namespace is sampled.
        """
        if not globs or PatternSet(globs).matches(_OWN) or any(map(self._may_be_sampled, globs)):
            return None
        if not self._others_enabled:
            return f"namespaces.enabled is false, which leaves only {_OWN}; write {_OWN}, or set it to auto"
        return "namespaces.include and namespaces.exclude leave it out; write another name, or change those"

    def _may_be_sampled(self, glob: str) -> bool:
        if not is_literal(glob):
            return self._others_enabled
        return self._others_enabled and self._included.matches(glob) and not self._excluded.matches(glob)

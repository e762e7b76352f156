"""The type of patterns for names of owners: one that no owner can have is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.config.patterns import escaped, is_literal, literal_parts
from exporter.owners.cgroup_location import UNIT_SUFFIXES
from exporter.owners.container_name_cache import SHORT_ID_DIGITS
from exporter.owners.program import COMMAND_BYTES, MAX_NAME_BYTES
from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue, Text

_ID: Final = re.compile(rf"[0-9a-f]{{{SHORT_ID_DIGITS + 1},64}}")
# Names of pods and namespaces are subdomains and labels of DNS (RFC 1123, section 2.1), in lower case:
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
_NOT_IN_KUBERNETES: Final = re.compile(r"[^a-z0-9.*?-]")


# How the kernel writes a namespace (namespaces(7)).
_NAMESPACE_LINK: Final = re.compile(r"net:\[?([0-9]+)\]?")


@dataclass(frozen=True, slots=True)
class OwnerPattern(ScalarValue[str]):
    """A pattern that the fact about owners called `fact`, or the label `netns`, is compared with."""

    fact: str
    text: Text

    @property
    def format(self) -> Format:
        """That of the text."""
        return self.text.format

    def parse(self, scalar: Scalar) -> str:
        """Return the pattern; raises WrongValueError where no owner can match it."""
        pattern = self.text.parse(scalar)
        check = _CHECKS.get(self.fact)
        reason = check(pattern) if check is not None else None
        if reason is not None:
            raise WrongValueError(f"{scalar.display} can match nothing: {reason[0]}", reason[1])
        return pattern


# Why a pattern can match nothing, and what to write instead; None where it can match.
_Reason = tuple[str, str] | None


def _process(pattern: str) -> _Reason:
    if "/" in pattern and len(pattern.replace("*", "").encode()) > COMMAND_BYTES:
        # Only a command name may have a slash, as that of a program that writes its path into its title.
        begin = pattern.encode()[:COMMAND_BYTES].decode(errors="ignore")
        name = pattern.rpartition("/")[2] or "*"
        reason = f"names of programs have no path, and titles with one have {COMMAND_BYTES} bytes"
        return reason, f'write "{name}", or "{begin}" where that is the title'
    name, colon, _ = pattern.partition(": ")
    if name and colon and len(pattern.replace("*", "").encode()) > COMMAND_BYTES:
        return "titles of programs are cut at a colon and a blank", f'write "{name}"'
    if escaped(pattern) != pattern:
        return r"names have \x5c for a backslash", f"write '{escaped(pattern)}'"
    if is_literal(pattern) and len(pattern.encode()) > MAX_NAME_BYTES:
        return f"names of programs have {MAX_NAME_BYTES} bytes at most", "write its beginning and *"
    return None


def _unit(pattern: str) -> _Reason:
    if any(_may_end_with(pattern, suffix) for suffix in UNIT_SUFFIXES):
        return None
    suffixes = ", ".join(UNIT_SUFFIXES)
    return f"names of units end in one of {suffixes}", f'write "{pattern}{UNIT_SUFFIXES[0]}" or "{pattern}.*"'


def _container(pattern: str) -> _Reason:
    if pattern.startswith("/"):
        return "names of containers begin with no slash", f'write "{pattern.lstrip("/") or "*"}"'
    if _ID.fullmatch(pattern):
        short = pattern[:SHORT_ID_DIGITS]
        return (
            f"a container is known by its name, or by {SHORT_ID_DIGITS} digits of its ID where it has none",
            f'write its name, or "{short}"',
        )
    return None


def _netns(pattern: str) -> _Reason:
    if pattern.startswith("/"):
        return "names of namespaces begin with no slash", f'write "{pattern.rpartition("/")[2] or "*"}"'
    link = _NAMESPACE_LINK.fullmatch(pattern)
    if link is not None:
        return "a namespace without a name is known by the number alone", f'write "{link[1]}"'
    return None


def _pod(pattern: str) -> _Reason:
    namespace, slash, pod = pattern.partition("/")
    if slash:
        return "names of pods have no namespace in them", f'write "{pod}", and namespace "{namespace}"'
    return _kubernetes(pattern)


def _kubernetes(pattern: str) -> _Reason:
    wrong = _NOT_IN_KUBERNETES.search(pattern)
    if wrong is None:
        return None
    return (
        f"names in Kubernetes have lower-case letters, digits, - and . only, and no {wrong[0]}",
        f'write "{pattern.lower()}"' if pattern.lower() != pattern else "write a name as kubectl shows it",
    )


_CHECKS: Final[Mapping[str, Callable[[str], _Reason]]] = {
    "process": _process,
    "unit": _unit,
    "container": _container,
    "netns": _netns,
    "pod": _pod,
    "namespace": _kubernetes,
}


def _may_end_with(pattern: str, suffix: str) -> bool:
    """Tell whether any name that matches a pattern ends with a suffix."""
    end = literal_parts(pattern)[-1]
    # What a wildcard stands for may be the rest of the suffix.
    return end.endswith(suffix) or (not is_literal(pattern) and suffix.endswith(end))

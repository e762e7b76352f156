"""The `match` of a rule: what it asks of a listener."""

from __future__ import annotations

import re
from typing import TypeVar

from exporter.config.addresses import Address
from exporter.config.coverage import HIGHEST_PORT, contradiction
from exporter.config.entry import Entry, Section
from exporter.config.model import Match, Namespaces
from exporter.config.namespaces import never_seen
from exporter.config.values import NUMBER, Choice, Kind, Scalar, ScalarType, Text, Whole, WrongValueError
from exporter.kernel.records import ListenerProtocol

OWNER_KEYS = ("netns", "process", "unit", "container", "pod", "namespace")
MATCH_KEYS = ("protocol", "address", "port", *OWNER_KEYS)

T = TypeVar("T")

_RANGE = re.compile(rf"({NUMBER})-({NUMBER})")
_PATTERN = Text('write a name or a pattern with * and ?, such as "nginx*"')


class ProtocolKind:
    """Reads a protocol by its name."""

    allowed = Choice(tuple(ListenerProtocol)).allowed

    def read(self, scalar: Scalar) -> ListenerProtocol:
        """Return the protocol; raises WrongValueError."""
        return ListenerProtocol(Choice(tuple(ListenerProtocol)).read(scalar))


class PortRange:
    """Reads a port, or a range of ports with both ends in it: `443`, `8000-8999`."""

    allowed = f"write a port from 1 to {HIGHEST_PORT}, or a range such as 8000-8999"

    def read(self, scalar: Scalar) -> tuple[int, int]:
        """Return the first and the last port; raises WrongValueError."""
        found = _RANGE.fullmatch(scalar.text)
        if found is None:
            port = self._port(scalar)
            return port, port
        first, last = (self._port(Scalar(end, ScalarType.NUMBER, quoted=False)) for end in found.groups())
        if first > last:
            raise WrongValueError(f"{scalar.shown} runs backwards", f"write {last}-{first}")
        return first, last

    def _port(self, scalar: Scalar) -> int:
        return Whole(1, HIGHEST_PORT, self.allowed, noun="port").read(scalar)


def read_match(entry: Entry | None, namespaces: Namespaces) -> Match | None:
    """Return what `match` asks, which is nothing where it was left out; None where it is wrong."""
    if entry is None:
        return Match()
    before = len(entry.faults)
    section = entry.section(MATCH_KEYS)
    match = _match(section)
    if len(entry.faults) == before:
        _refuse_contradiction(section, match, namespaces)
    return match if len(entry.faults) == before else None


def _match(section: Section) -> Match:
    addresses = _values(section, "address", Address())
    owners = {key: _values(section, key, _PATTERN) for key in OWNER_KEYS}
    return Match(
        protocols=_values(section, "protocol", ProtocolKind()),
        networks=tuple(address for address in addresses if not isinstance(address, str)),
        paths=tuple(address for address in addresses if isinstance(address, str)),
        ports=_values(section, "port", PortRange()),
        owners={key: patterns for key, patterns in owners.items() if patterns},
    )


def _refuse_contradiction(section: Section, match: Match, namespaces: Namespaces) -> None:
    found = contradiction(match)
    if found:
        key, why = found
        section.entries[key].refuse(why)
    unseen = never_seen(match.owners.get("netns", ()), namespaces)
    if unseen:
        section.entries["netns"].refuse(f"no listener can match: {unseen}")


def _values(section: Section, key: str, kind: Kind[T]) -> tuple[T, ...]:
    entry = section.get(key)
    if entry is None:
        return ()
    values = (item.read(kind) for item in entry.one_or_more(kind.allowed))
    return tuple(value for value in values if value is not None)

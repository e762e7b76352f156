"""The users and the hashes of their passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import Format

# Version, cost, and salt and hash in the alphabet of bcrypt.
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_EXAMPLE: Final = "`htpasswd -nBC 10 \"\" | tr -d ':\\n'` makes one"
_LOWEST_COST: Final = 4
# Each more doubles the time; this takes several seconds, and a scrape has ten.
_HIGHEST_COST: Final = 15
_ALLOWED: Final = f"write the bcrypt hash of the password; {_EXAMPLE}"


@dataclass(frozen=True, slots=True)
class UsersType:
    """A mapping of names to bcrypt hashes. No message shows what stands in the place of a hash."""

    @property
    def format(self) -> Format:
        """Names and hashes."""
        schema = {"type": "object", "additionalProperties": {"type": "string", "pattern": _HASH.pattern}}
        return Format("mapping", "", "write a mapping of user names to bcrypt hashes", schema)

    def read(self, node: ConfigNode) -> dict[str, bytes] | None:
        """Return the hashes by user, or None with errors added."""
        users: dict[str, bytes] = {}
        before = len(node.diagnostics)
        nodes = node.entries(self.format.allowed)
        if not nodes and len(node.diagnostics) == before:
            node.add_error("no user is written here, so nobody would be asked for a password; leave it out")
        for name, value in nodes.items():
            if ":" in name or not name.isprintable():
                # RFC 7617, section 2.
                value.add_error("no client can send this name: it has a colon or a control character")
            found = _hash(value)
            if found is not None:
                users[name] = found
        return users


def _hash(node: ConfigNode) -> bytes | None:
    if node.is_rejected:
        node.add_error(f"an alias or a tag does not belong here; {_ALLOWED}")
        return None
    return node.scalar(_ALLOWED, _parse)


def _parse(scalar: Scalar) -> bytes:
    match = _HASH.fullmatch(scalar.text)
    if match is None:
        raise WrongValueError("this is no bcrypt hash")
    cost = int(match[1])
    if not _LOWEST_COST <= cost <= _HIGHEST_COST:
        raise WrongValueError(
            f"a cost of {cost} is not supported",
            f"make a hash with a cost from {_LOWEST_COST} to {_HIGHEST_COST}; {_EXAMPLE}",
        )
    return scalar.text.encode("ascii")

"""Whom the certificate of a client names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

# As getpeercert() calls what Go compares (crypto/x509, Certificate).
_COMPARED: Final = ("DNS", "email", "IP Address", "URI")


def is_allowed(certificate: Mapping[str, Any] | None, allowed: Iterable[str]) -> bool:
    """Return whether a verified certificate has one of these names; any has where there are none.

    `certificate` is what getpeercert() returns. Without one it depends on the client_auth_type alone, which
    OpenSSL has checked.
    """
    wanted = {_normal(name) for name in allowed}
    if not wanted or not certificate:
        return True
    names = certificate.get("subjectAltName", ())
    return any(kind in _COMPARED and _normal(name.strip()) in wanted for kind, name in names)


def _normal(name: str) -> str:
    """Return an IP in one way of writing; OpenSSL writes zeros and capitals of IPv6."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name

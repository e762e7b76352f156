"""The address of a listener and its port, in one text."""

from __future__ import annotations


def endpoint(address: str, port: str) -> str:
    """Return a path or a name alone, or an address and its port, as in `[::1]:80`."""
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

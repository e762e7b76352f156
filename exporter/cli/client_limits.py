"""What the flags allow to clients, within the limits of this process."""

from __future__ import annotations

from exporter.cli.descriptors import max_connections
from exporter.cli.flags import RunFlags
from exporter.web.limits import Limits


def limits_of_clients(flags: RunFlags) -> Limits:
    """Return the limits; to be called when the limit of open files is what it stays."""
    connections, waiting = max_connections(flags.max_connections)
    return Limits(
        connections=connections,
        waiting=waiting,
        header_bytes=flags.max_header_bytes,
        header_seconds=flags.header_seconds,
        body_seconds=flags.body_seconds,
        page_seconds=flags.page_seconds,
        idle_seconds=flags.idle_seconds,
    )

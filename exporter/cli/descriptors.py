"""How many files this process may have open: sockets of other network namespaces stay open."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

# To one client that is served.
_WAITING_RATIO: Final = 4


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one, which needs no capability (getrlimit(2))."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Refused where the hard limit is above fs.nr_open.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections(wanted: int) -> tuple[int, int]:
    """Return how many clients may be connected, and how many more may wait for that.

    Half of the open files are for samples. Who waits is no more than a socket, so there may be more of them.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = max(1, min(wanted, soft // 4))
    return connections, max(1, min(wanted * _WAITING_RATIO, soft // 2 - connections))

"""How many half-open connections a listening socket may have on this kernel.

Linux refuses a SYN, or answers it with a cookie, once the SYN queue is full (inet_csk_reqsk_queue_is_full,
include/net/inet_connection_sock.h). Before 6.13 that is where it holds as many as the backlog, so that a
backlog of 0 has no place at all. Commit 3479c7549fb1 made it one more, as in the accept queue; several stable
kernels have it too. Nothing but a queue that overflows tells which it is, and to make one overflow writes a
warning of SYN flooding into the kernel's log. So the version tells, until a queue was seen to hold more.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

# The first releases that admit one more: mainline, and those of each stable series before it.
_MAINLINE: Final = (6, 13)
_STABLE: Final = {(6, 12): 10, (6, 6): 72, (6, 1): 125, (5, 15): 177, (5, 10): 234, (5, 4): 290}
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# Debian's release does not tell the stable one that it was made from, as in "6.1.0-31-amd64".
_DEBIAN: Final = re.compile(r"Debian (\d+\.\d+\.\d+)")


class SynQueueBound(NamedTuple):
    """What a socket admits: as many as its backlog and `beyond_backlog` more, and never more than `most`."""

    beyond_backlog: int
    most: int | None = None

    def limit(self, backlog: int) -> int:
        """Return how many half-open connections a socket with this backlog may have."""
        limit = backlog + self.beyond_backlog
        return limit if self.most is None else min(limit, self.most)


def beyond_backlog(release: str, version: str) -> int:
    """Return how many more than its backlog a socket admits, by the release and version of uname(2): 0 or 1.

    0 where a distributor's kernel does not tell what was added to it.
    """
    debian = _DEBIAN.search(version)
    numbers = _RELEASE.match(debian[1] if debian else release)
    if numbers is None:
        return 1
    series, patch = (int(numbers[1]), int(numbers[2])), int(numbers[3] or 0)
    return int(series >= _MAINLINE or (series in _STABLE and patch >= _STABLE[series]))


# Of the kernel that this process runs on.
BEYOND_BACKLOG: Final = beyond_backlog(os.uname().release, os.uname().version)

"""Which files below /proc the broker opens, those of sources among them; a message has a bit for each."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

# The files that may be opened inside a namespace, by their path below /proc.
NAMESPACE_FILES: Final = (
    "net/snmp",
    "net/netstat",
    "net/tcp",
    "net/tcp6",
    "net/unix",
    "net/protocols",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/tcp_max_syn_backlog",
    "sys/net/ipv4/tcp_syncookies",
    "sys/net/ipv4/tcp_abort_on_overflow",
)
# The files of a process that may be opened, by their path below /proc/<pid>.
PROCESS_FILES: Final = ("stat", "comm", "cgroup")
# The links of a process that may be read, by their path below /proc/<pid>. What they lead to is not touched.
PROCESS_LINKS: Final = ("exe", "cwd", "root", "ns/mnt", "ns/user", "ns/pid")


def bits(names: Collection[str]) -> int:
    """Return a number with a bit for each of NAMESPACE_FILES that is in `names`. Raises ValueError."""
    number = 0
    for name in names:
        number |= 1 << NAMESPACE_FILES.index(name)
    return number


@lru_cache(maxsize=64)
def files(number: int) -> tuple[str, ...]:
    """Return the files that have a bit, in the order of NAMESPACE_FILES. Raises ValueError."""
    if number >> len(NAMESPACE_FILES):
        raise ValueError(f"no file for each bit of {number:#x}")
    return tuple(name for bit, name in enumerate(NAMESPACE_FILES) if number >> bit & 1)

"""Each socket of a listener, for the document of listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.kernel.processes.process import Process
from exporter.listeners.group import GroupMember, ListenerGroup


def members(group: ListenerGroup, process_of: Callable[[int], Process | None]) -> list[dict[str, Any]]:
    """Return the sockets of a group, the fullest first.

    Each has its inode, the number of the process that owns it (null where that is not known), its queue and
    the packets dropped at it. `process_of` finds the process by the inode.
    """
    entries = [_entry(member, process_of(member.listener.inode)) for member in group.members.values()]
    return sorted(entries, key=lambda each: (-(each["accept_utilization_ratio"] or 0.0), each["inode"]))


def _entry(member: GroupMember, process: Process | None) -> dict[str, Any]:
    reading = member.reading
    return {
        "inode": member.listener.inode,
        "pid": None if process is None else process.pid,
        "accept_length": reading.length,
        "accept_limit": reading.limit,
        "accept_utilization_ratio": member.utilization,
        "drops_total": None if reading.drops is None else member.counted,
    }

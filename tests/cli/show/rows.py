"""Rows of the document of listeners, as an exporter has them."""

from __future__ import annotations

from typing import Any

from exporter.cli.show.listener import ShownListener

ROW: dict[str, Any] = {
    "netns": "host",
    "protocol": "tcp",
    "address": "0.0.0.0",
    "port": "80",
    "process": "nginx",
    "unit": "",
    "container": "",
    "pod": "",
    "namespace": "",
    "user": "root",
    "stale_path": False,
    "state": "ok",
    "rule": "defaults",
    "accept_warning": "50%",
    "accept_critical": "90%",
    "syn_recv_warning": "50%",
    "syn_recv_critical": "90%",
    "accept_length": 0,
    "accept_limit": 9,
    "accept_utilization_ratio": 0.0,
    "accept_peak_length": 0,
    "accept_peak_utilization_ratio": 0.0,
    "accept_oldest_wait_seconds": 0.0,
    "syn_recv": 0,
    "syn_recv_limit": 10,
    "syn_recv_peak": 0,
    "drops_total": 0,
    "sockets": 1,
    "peak_seconds": 60.0,
}


def row(**values: object) -> dict[str, Any]:
    """A row with these values."""
    assert values.keys() <= ROW.keys() | {"members"}
    return ROW | values


def listener(**values: object) -> ShownListener:
    """The listener of a row with these values."""
    return ShownListener(row(**values))


def waiting(length: int, limit: int = 9, **values: object) -> ShownListener:
    """A listener in whose queue so many connections wait."""
    ratio = length / (limit + 1)
    return listener(accept_length=length, accept_limit=limit, accept_utilization_ratio=ratio, **values)


def member(length: int, limit: int, inode: int = 7, pid: int | None = 42, drops: int = 0) -> dict[str, Any]:
    """A socket of a listener."""
    return {
        "inode": inode,
        "pid": pid,
        "accept_length": length,
        "accept_limit": limit,
        "accept_utilization_ratio": length / (limit + 1),
        "drops_total": drops,
    }

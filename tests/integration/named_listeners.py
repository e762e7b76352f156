"""Which program a page names at which address."""

from __future__ import annotations

from pathlib import Path

from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration.metric_values import EAGER, Served

_EXPORTERS = ("10511", "10512")


def named(served: Served) -> dict[tuple[str, str], int]:
    """How many sockets each program has at each address; a port is appended to an IP address.

    Those of the exporters of a test are left out.
    """
    found = {}
    for labels, sockets in served.metrics().all("listen_queue_sockets").items():
        known = dict(labels)
        if known["port"] not in _EXPORTERS:
            address = f"{known['address']}:{known['port']}" if known["port"] else known["address"]
            found[address, known["process"]] = int(sockets)
    return found


def until_named(before: Daemon, wanted: dict[tuple[str, str], int]) -> None:
    """Return when an exporter that runs, and one that starts now, show these and no others.

    The page of each names no other program in between, where `wanted` is what was started.
    """
    until(lambda: named(before), equals(wanted))
    with running(config=EAGER, port=10512) as after:
        until(lambda: named(after), equals(wanted))
        assert named(before) == wanted


def write_script(path: Path, interpreter: str, text: str) -> str:
    """Write a program in an interpreter's language, and return its path."""
    path.write_text(f"#!{interpreter}\n{text}")
    path.chmod(0o755)
    return str(path)

"""A broker that answers in a thread of the test, with the capabilities of the test and any /proc."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.broker import wire
from exporter.broker.server import BrokerServer
from exporter.broker.switcher import NamespaceSwitcher
from exporter.kernel.netns.broker_client import BrokerClient


@contextmanager
def broker_thread(
    root: Path = Path("/proc"), max_per_reply: int = wire.MAX_PER_REPLY
) -> Iterator[BrokerClient]:
    """Yield the client of a broker that reads the processes below `root`. It enters no namespace."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = BrokerServer(NamespaceSwitcher(), str(root), max_per_reply)
    thread = threading.Thread(target=server.serve, args=(theirs,), daemon=True)
    thread.start()
    client = BrokerClient(ours, timeout_seconds=10)
    try:
        yield client
    finally:
        client.close()
        thread.join()
        theirs.close()

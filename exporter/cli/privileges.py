"""What this program does with its capabilities: it hands three to the broker, and drops all."""

from __future__ import annotations

from exporter.broker.capabilities import ENTER, keep_only, permitted
from exporter.broker.supervisor import start
from exporter.errors import RunError
from exporter.kernel.netns.broker_client import BrokerClient


def start_broker() -> BrokerClient | None:
    """Start the broker where there are capabilities for it, before there are threads and sockets.

    Raises RunError.
    """
    held = permitted()
    if not held:
        return None
    try:
        channel = start(held)
    except OSError as error:
        raise RunError(f"cannot start the process that enters namespaces: {error}") from error
    return BrokerClient(channel, may_enter=held >= ENTER)


def drop_all() -> None:
    """Give every capability away for good. To be called before there are threads. Raises RunError."""
    try:
        keep_only(())
    except OSError as error:
        raise RunError(f"cannot drop capabilities: {error}") from error

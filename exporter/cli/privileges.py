"""Capabilities of the exporter: the broker gets those that it needs, then all are dropped."""

from __future__ import annotations

from exporter.broker.capabilities import ENTER, keep_only, permitted
from exporter.broker.supervisor import start
from exporter.errors import RunError
from exporter.kernel.netns.broker_client import TIMEOUT_SECONDS, BrokerClient


def start_broker(timeout_seconds: float = TIMEOUT_SECONDS) -> BrokerClient | None:
    """Start the broker, or return None where there is no capability for it.

    A broker that does not answer for `timeout_seconds` is given up.
    It is forked, so there must be no threads yet, nor sockets, which it would inherit. Raises RunError.
    """
    try:
        held = permitted()
    except OSError as error:
        raise RunError(f"cannot read the capabilities of this process: {error}") from error
    if not held:
        return None
    try:
        channel = start(held)
    except OSError as error:
        raise RunError(f"cannot start the process that enters namespaces: {error}") from error
    return BrokerClient(channel, may_enter=held >= ENTER, timeout_seconds=timeout_seconds)


def drop_all() -> None:
    """Drop every capability irrevocably.

    Capabilities are those of a thread, so there must be only one yet. Raises RunError.
    """
    try:
        keep_only(())
    except OSError as error:
        raise RunError(f"cannot drop capabilities: {error}") from error

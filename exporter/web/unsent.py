"""What has yet to be sent to a client."""

from __future__ import annotations

from exporter.web.channel import Channel

# Of one client, between two looks at the others.
_MAX_BYTES_AT_ONCE = 1024 * 1024


class Unsent:
    """Bytes to send. They are not copied, so that many clients may share them."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = [memoryview(part) for part in parts if part]

    def __bool__(self) -> bool:
        return bool(self._parts)

    def send(self, channel: Channel) -> int:
        """Send what the channel takes, and return its bytes. Raises OSError where the channel is broken."""
        total = 0
        while self._parts and total < _MAX_BYTES_AT_ONCE:
            try:
                sent = channel.send(self._parts)
            except BlockingIOError:
                break
            total += sent
            self._drop(sent)
        return total

    def _drop(self, sent: int) -> None:
        while self._parts and sent >= len(self._parts[0]):
            sent -= len(self._parts.pop(0))
        if sent:
            self._parts[0] = self._parts[0][sent:]

"""How many descriptors, how much time, memory and processor time clients may use."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.web.connection_state import State


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of connections, deadlines in seconds and sizes in bytes.

    Beside `connections` so many as `waiting` are accepted that are no more than a socket each.
    `header_seconds` is the time from accepting the connection, and later from the first byte of a request, to
    the end of its header. `idle_seconds` is the time between two requests; it exceeds a scrape interval of
    one minute, so that Prometheus keeps its connection. A request waits as long for processor time: in a
    flood, who is told to come again does so at once. `page_seconds` is the time from a complete request until
    the kernel has taken the whole response, and `stall_seconds` the time in which it takes nothing of it.
    `stop_seconds` is how long unfinished responses are waited for when the server stops.
    """

    connections: int = 512
    waiting: int = 2048
    header_bytes: int = 16 * 1024
    body_bytes: int = 4 * 1024
    header_seconds: float = 5.0
    body_seconds: float = 5.0
    page_seconds: float = 10.0
    idle_seconds: float = 75.0
    stall_seconds: float = 3.0
    stop_seconds: float = 0.5
    # How long a connection that was refused, or is closed after an error, may take to notice.
    linger_seconds: float = 1.0
    # At the limit of connections one of these ages makes place for a new one: no complete header yet, and a
    # client that takes nothing of its response.
    evict_header_seconds: float = 0.5
    evict_stalled_seconds: float = 0.5
    # The kernel takes twice that for what it has yet to send to one client (SO_SNDBUF of socket(7)).
    send_buffer_bytes: int = 64 * 1024

    def request_seconds(self, awaited: State) -> float:
        """Return how long a client may take for what of its request is awaited."""
        return {
            State.IDLE: self.idle_seconds,
            State.HEADER: self.header_seconds,
            State.BODY: self.body_seconds,
        }[awaited]

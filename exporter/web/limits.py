"""How much time and memory a client may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds and sizes in bytes, for each connection.

    Tornado has one timeout for the wait between two requests and for reading the header of the next one,
    counted from the end of the previous response. A client that sends the header of a second request byte by
    byte thus keeps its connection no longer than one that is idle: `idle_seconds` is the limit of both, and
    `header_seconds` that of a connection on which no complete header has arrived yet.

    `idle_seconds` exceeds a scrape interval of one minute, so that Prometheus keeps its connection.
    `write_seconds` exceeds any reasonable scrape timeout, after which the client has given up the page.
    `stop_seconds` is how long unfinished responses are waited for when the server stops.
    """

    header_seconds: float = 10.0
    idle_seconds: float = 75.0
    body_seconds: float = 5.0
    write_seconds: float = 60.0
    stop_seconds: float = 0.5
    header_bytes: int = 16 * 1024
    body_bytes: int = 4 * 1024
    # What a client may send before it has the response to an earlier request (pipelining).
    read_buffer_bytes: int = 64 * 1024

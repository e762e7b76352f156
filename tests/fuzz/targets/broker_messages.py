"""The messages between the exporter and its broker, in both directions."""

from __future__ import annotations

from exporter.broker import wire
from exporter.broker.wire import MalformedMessageError
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Decode the bytes as a request and as a reply; what was decoded and encoded again is the same."""
    try:
        request = wire.unpack_request(data)
    except MalformedMessageError:
        pass
    else:
        assert wire.unpack_request(wire.pack_request(request)) == request
        assert len(request.targets) <= wire.MAX_TARGETS
        assert len(request.pids) <= wire.MAX_PER_REPLY
    try:
        reply = wire.unpack_reply(data)
    except MalformedMessageError:
        pass
    else:
        assert wire.pack_reply(reply) == data


TARGET = Target(run)

"""The messages between the exporter and its file broker, in both directions."""

from __future__ import annotations

from exporter.broker import file_wire
from exporter.broker.wire import MalformedMessageError
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Decode the bytes as a request and as a reply; what was decoded and encoded again is the same."""
    try:
        request = file_wire.unpack_request(data)
    except MalformedMessageError:
        pass
    else:
        assert file_wire.pack_request(request) == data
    try:
        reply = file_wire.unpack_reply(data)
    except MalformedMessageError:
        pass
    else:
        assert file_wire.pack_reply(reply) == data


TARGET = Target(run)

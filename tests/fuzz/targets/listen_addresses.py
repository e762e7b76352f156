"""Addresses to listen on, as --web.listen-address takes them."""

from __future__ import annotations

import os

from exporter.errors import UsageError
from exporter.web.address import parse_address
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Parse an argument; what was parsed is written so that it is parsed again to the same."""
    try:
        address = parse_address(os.fsdecode(data))
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert parse_address(str(address)) == address


TARGET = Target(
    run, max_bytes=512, words=(b":10511", b"[::1]", b"[fe80::1%eth0]", b"::ffff:1.2.3.4", b"unix:", b"%eth0")
)

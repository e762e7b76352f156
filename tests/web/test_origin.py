"""Which clients count as one."""

from __future__ import annotations

import pytest

from exporter.web.origin import peer_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("192.0.2.1", 1000), ("192.0.2.1", 2000), True),
        (("192.0.2.1", 1000), ("192.0.2.2", 1000), False),
        (("::ffff:192.0.2.1", 1, 0, 0), ("::ffff:192.0.2.2", 1, 0, 0), False),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::2:1", 1, 0, 0), True),
        (("2001:db8:0:1::1", 1, 0, 0), ("2001:db8:0:2::1", 1, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::2%eth0", 1, 0, 2), False),
        ("", b"", True),
    ],
)
def test_clients_of_one_host_count_as_one(one: object, other: object, same: bool) -> None:  # noqa: FBT001
    assert (peer_of(one) == peer_of(other)) is same

"""Which sockets of a group are known to be MPTCP's."""

from __future__ import annotations

import pytest

from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.sampling.mptcp_sockets import MptcpSockets
from tests.listeners.sockets import reading, tcp


@pytest.mark.parametrize(
    ("sockets", "mptcp", "count"),
    [
        ([], [], None),
        ([100], [100], None),
        ([100, 200], [], 0),
        ([100, 200, 300], [200, 300], 1),
        ([100, 200], [100, 200], 2),
    ],
)
def test_how_many_are_is_known_when_all_of_them_were_asked_about(
    sockets: list[int],
    mptcp: list[int],
    count: int | None,
) -> None:
    first, second = tcp(1), tcp(2)
    group = ListenerGroup(key_of(first, "host", "tcp"))
    for listener in (first, second):
        group.open(listener, reading(listener.cookie))
    known = MptcpSockets()
    assert known.count(group) is None
    assert known.take([tcp(inode // 100) for inode in sockets], set(mptcp)) == set(mptcp)
    assert known.version == 1
    assert known.count(group) == count
    assert known.any_of(group) == bool(set(mptcp) & {100, 200})


def test_what_was_known_otherwise_is_told() -> None:
    known = MptcpSockets()
    listeners = [tcp(1), tcp(2), tcp(3)]
    known.take(listeners, {100, 200})
    assert known.take(listeners, {200, 300}) == {100, 300}
    assert known.take(listeners, {200, 300}) == set()

"""What changed between two reads of /proc/net."""

from __future__ import annotations

from exporter.kernel.procfs.comparison import TableComparison
from exporter.kernel.procfs.table import Found
from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading


def row(inode: int, length: int | None = 0, port: str = "80") -> Found:
    return Listener(inode, inode, "127.0.0.1", port), QueueReading(inode, length, None, None)


def test_each_change_is_returned_once() -> None:
    comparison = TableComparison()
    assert [pair[0].inode for pair in comparison.update([row(1), row(2)]).opened] == [1, 2]
    assert comparison.update([row(2), row(1)]) is UNCHANGED
    changes = comparison.update([row(1, 5), row(3)])
    assert [listener.inode for listener, _ in changes.opened] == [3]
    assert changes.updated == (QueueReading(1, 5, None, None),)
    assert changes.closed == (2,)
    assert comparison.update([row(1, 5), row(3)]) is UNCHANGED
    assert set(comparison.update([]).closed) == {1, 3}
    assert comparison.update([]) is UNCHANGED


def test_a_socket_that_listens_on_another_port_is_another_listener() -> None:
    """As after shutdown(2) and listen(2), where it was never bound."""
    comparison = TableComparison()
    comparison.update([row(1), row(2)])
    changes = comparison.update([row(1, 5, port="81"), row(2)])
    assert changes == Changes((row(1, 5, port="81"),), (), (1,))
    assert comparison.update([row(1, 5, port="81"), row(2)]) is UNCHANGED

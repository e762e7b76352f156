"""Dumps compared with each other: what is known afterwards is what the dumps had."""

from __future__ import annotations

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.family import TCP
from exporter.kernel.sock_diag.comparison import DumpComparison
from exporter.kernel.sock_diag.messages import messages
from tests.fuzz.target import Target, parts
from tests.kernel.fake_interfaces import FakeInterfaces


def run(data: bytes) -> None:
    """Compare four dumps of one datagram each; one that is malformed leaves everything as it was."""
    compared = DumpComparison(TCP.rows, FakeInterfaces())
    known: set[int] = set()
    shown: list[set[int]] = [set()]
    for datagram in parts(data, 4):
        try:
            changes = compared.update([datagram] if datagram else [], read_names=len(datagram) % 2 == 1)
        except MalformedReplyError:
            assert compared.known == known
            continue
        closed = set(changes.closed)
        opened = {listener.cookie for listener, _ in changes.opened}
        assert closed <= known
        assert not (opened & known) - closed
        known = (known - closed) | opened
        assert compared.known == known
        shown.append({TCP.rows.cookie(row) for row in messages(datagram)})
        # One that is missing is closed by the second dump that lacks it, and not before.
        assert shown[-1] <= known
        assert known <= shown[-1] | shown[-2]


TARGET = Target(run, max_bytes=4096)

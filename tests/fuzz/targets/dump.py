"""A whole reply of sock_diag, whoever sent it: a dump, the same dump again, and a lookup."""

from __future__ import annotations

from contextlib import suppress

from exporter.kernel.errors import KernelError
from exporter.kernel.family import TCP
from exporter.kernel.sock_diag.dump import RepeatedDump, dump, lookup
from tests.fuzz.target import Target, parts
from tests.kernel.fake_kernel import FakeKernel


def run(data: bytes) -> None:
    """Ask a kernel that replies with up to four datagrams."""
    request = TCP.rows.requests[0]
    # The sender is the kernel unless the first byte says otherwise.
    kernel = FakeKernel(*parts(data[1:], 4), sender=int(data[:1] == b"!"))
    first: list[bytes] | None = None
    with suppress(KernelError):
        first = list(dump(request, kernel))
    repeated = RepeatedDump(request)
    for _ in range(2):
        try:
            answer = repeated.read(kernel)
        except KernelError:
            assert first is None
        else:
            assert answer == first
    with suppress(KernelError):
        row = lookup(request, kernel)
        assert row is None or kernel.sender == 0
    assert kernel.all_closed()
    assert first is None or kernel.sender == 0


TARGET = Target(run, max_bytes=2048)

"""Counting half-open connections by either method."""

from __future__ import annotations

import errno
import socket

import pytest

from exporter.kernel.errors import UnavailableError
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.syn_recv_reader import SynRecvReader
from tests.kernel.datagrams import SYN_RECV, done, error, inet_row
from tests.kernel.fake_kernel import FakeFiles, FakeKernel
from tests.kernel.procfs_tree import tcp_contents, tcp_line

ENDPOINT = Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), 8000, 0)
ROWS = tuple(inet_row(cookie, state=SYN_RECV) for cookie in range(5))
FILES = tcp_contents([tcp_line("127.0.0.1", 8000, state=3, peer_port=port) for port in range(4)])


def test_they_are_counted_by_sock_diag_where_it_is_available() -> None:
    kernel, files = FakeKernel(*ROWS, done()), FakeFiles(FILES)
    reader = SynRecvReader(kernel, files, Method.AUTO)
    assert reader.read(0.0) == {ENDPOINT: 5}
    assert reader.fallback.method is Method.SOCK_DIAG
    assert kernel.requests == [syn_recv.REQUEST]
    assert kernel.all_closed()
    assert not files.opened


@pytest.mark.parametrize("method", [Method.AUTO, Method.PROCFS])
def test_they_are_read_from_procfs_where_it_is_not(method: Method) -> None:
    kernel = FakeKernel(error(-errno.ENOENT))
    reader = SynRecvReader(kernel, FakeFiles(FILES), method)
    assert reader.read(0.0) == {ENDPOINT: 4}
    assert reader.fallback.method is Method.PROCFS


def test_with_sock_diag_alone_its_absence_is_raised() -> None:
    reader = SynRecvReader(FakeKernel(error(-errno.ENOENT)), FakeFiles(FILES), Method.SOCK_DIAG)
    with pytest.raises(UnavailableError):
        reader.read(0.0)

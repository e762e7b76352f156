"""References of listeners, from files of a test's own and from the kernel's."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.refcount import RefCount, RefCountReader
from testbed import flood, namespace

HEADING = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
LISTENER = (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 "
    b"%d %d f5d7 100 0 0 10 0"
)
ESTABLISHED = (
    b"   1: 0100007F:1F90 0100007F:A016 01 00000000:00000005 00:00000000 00000000     0        0 "
    b"9 1 e6d8 20 4 30 10 -1"
)


def tree(folder: Path, *lines: bytes) -> Path:
    (folder / "net").mkdir(exist_ok=True)
    (folder / "net/tcp").write_bytes(b"".join(line.ljust(149) + b"\n" for line in (HEADING, *lines)))
    return folder


def test_listeners_are_read_and_nothing_behind_them(tmp_path: Path) -> None:
    proc = tree(tmp_path, LISTENER % (7, 8), LISTENER % (8, 1), ESTABLISHED, b"what is this?")
    assert RefCountReader(ProcfsFiles.at(proc)).read({socket.AF_INET: 2}) == {
        7: RefCount(8, 3),
        8: RefCount(1, 3),
    }


def test_a_listener_that_closed_meanwhile_is_missing(tmp_path: Path) -> None:
    proc = tree(tmp_path, LISTENER % (7, 8), ESTABLISHED)
    assert RefCountReader(ProcfsFiles.at(proc)).read({socket.AF_INET: 3}) == {7: RefCount(8, 3)}


def test_a_family_without_listeners_costs_no_file(tmp_path: Path) -> None:
    assert RefCountReader(ProcfsFiles.at(tmp_path)).read({}) == {}


def test_what_has_not_changed_is_the_very_same_answer(tmp_path: Path) -> None:
    reader = RefCountReader(ProcfsFiles.at(tree(tmp_path, LISTENER % (7, 8), LISTENER % (8, 1))))
    first = reader.read({socket.AF_INET: 2})
    assert reader.read({socket.AF_INET: 2}) is first
    tree(tmp_path, LISTENER % (7, 9), LISTENER % (8, 1))
    assert reader.read({socket.AF_INET: 2}) == {7: RefCount(9, 3), 8: RefCount(1, 3)}
    assert first[7] == RefCount(8, 3)


def test_a_line_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedReplyError, match="net/tcp: cannot read b'what is this"):
        RefCountReader(ProcfsFiles.at(tree(tmp_path, b"what is this?"))).read({socket.AF_INET: 1})


def test_a_file_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="net/tcp"):
        RefCountReader(ProcfsFiles.at(tmp_path)).read({socket.AF_INET: 1})


@given(st.binary(max_size=600), st.integers(1, 4))
def test_anything_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, count: int
) -> None:
    proc = tmp_path_factory.mktemp("proc")
    (proc / "net").mkdir()
    (proc / "net/tcp").write_bytes(content)
    try:
        found = RefCountReader(ProcfsFiles.at(proc)).read({socket.AF_INET: count})
    except KernelError:
        return
    assert len(found) <= count


@pytest.mark.netns
def test_each_syn_recv_connection_holds_one_and_each_waiting_one_as_well() -> None:
    namespace.write_sysctl("net.core.somaxconn", 4096)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        address = str(flood.Tun.ipv4.ip)
        listeners = [
            stack.enter_context(socket.create_server((address, 8080 + index), backlog=4096))
            for index in range(3)
        ]
        clients = [stack.enter_context(socket.create_connection((address, 8081))) for _ in range(4)]
        flood.syn_flood(tun, address, 8081, 1000)
        found = RefCountReader().read({socket.AF_INET: 3})
        del clients
    inodes = [number for number in found if found[number].held > 1]
    assert len(found) == len(listeners)
    assert [found[inode] for inode in inodes] == [RefCount(1 + 4 + 1000, 4)]

"""References of listeners, from lines made by hand and from the kernel."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import OWN_PROCFS
from exporter.kernel.procfs.refcount import RefCount, RefCountReader
from testbed import flood, namespace
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.limits import no_free_descriptor

HEADING = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
LISTENER = (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 "
    b"%d %d f5d7 100 0 0 10 0"
)
ESTABLISHED = (
    b"   1: 0100007F:1F90 0100007F:A016 01 00000000:00000005 00:00000000 00000000     0        0 "
    b"9 1 e6d8 20 4 30 10 -1"
)


def content(*lines: bytes) -> bytes:
    return b"".join(line.ljust(149) + b"\n" for line in (HEADING, *lines))


def files(*lines: bytes) -> FakeFiles:
    return FakeFiles({"net/tcp": content(*lines)})


def test_listeners_are_read_and_no_line_after_them() -> None:
    reader = RefCountReader(files(LISTENER % (7, 8), LISTENER % (8, 1), ESTABLISHED, b"what is this?"))
    assert reader.read(socket.AF_INET, 2) == {7: RefCount(8, 3), 8: RefCount(1, 3)}


def test_a_listener_that_has_closed_is_missing() -> None:
    reader = RefCountReader(files(LISTENER % (7, 8), ESTABLISHED))
    assert reader.read(socket.AF_INET, 3) == {7: RefCount(8, 3)}


def test_where_nothing_has_changed_the_same_mapping_is_returned() -> None:
    source = files(LISTENER % (7, 8), LISTENER % (8, 1))
    reader = RefCountReader(source)
    first = reader.read(socket.AF_INET, 2)
    assert reader.read(socket.AF_INET, 2) is first
    source.contents["net/tcp"] = content(LISTENER % (7, 9), LISTENER % (8, 1))
    assert reader.read(socket.AF_INET, 2) == {7: RefCount(9, 3), 8: RefCount(1, 3)}
    assert first[7] == RefCount(8, 3)


def test_the_files_of_both_address_families_are_known_apart() -> None:
    source = FakeFiles({"net/tcp": content(LISTENER % (7, 8)), "net/tcp6": content(LISTENER % (9, 1))})
    reader = RefCountReader(source)
    first = reader.read(socket.AF_INET, 1)
    assert reader.read(socket.AF_INET6, 1) == {9: RefCount(1, 3)}
    assert reader.read(socket.AF_INET, 1) is first


def test_a_malformed_line_is_an_error_that_names_file_and_line() -> None:
    with pytest.raises(MalformedReplyError, match="net/tcp: cannot read b'what is this"):
        RefCountReader(files(b"what is this?")).read(socket.AF_INET, 1)


def test_a_missing_file_is_unavailable_and_named() -> None:
    with pytest.raises(UnavailableError, match="/proc/net/tcp6: ENOENT"):
        RefCountReader(files()).read(socket.AF_INET6, 1)


def test_without_a_free_descriptor_it_is_a_kernel_error() -> None:
    reader = RefCountReader(OWN_PROCFS)
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        reader.read(socket.AF_INET, 1)
    assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)


@given(st.binary(max_size=600), st.integers(1, 4))
def test_any_content_is_read_or_malformed(content: bytes, count: int) -> None:
    try:
        found = RefCountReader(FakeFiles({"net/tcp": content})).read(socket.AF_INET, count)
    except MalformedReplyError:
        return
    assert len(found) <= count


@pytest.mark.netns
def test_each_syn_recv_and_each_waiting_connection_holds_one() -> None:
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
        found = RefCountReader(OWN_PROCFS).read(socket.AF_INET, 3)
        del clients
    inodes = [number for number in found if found[number].held > 1]
    assert len(found) == len(listeners)
    assert [found[inode] for inode in inodes] == [RefCount(1 + 4 + 1000, 4)]

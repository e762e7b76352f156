"""Messages: what is written is read again, and what is anything else is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.broker import wire
from exporter.broker.wire import (
    BrokerReply,
    BrokerRequest,
    MalformedMessageError,
    NamespaceTarget,
    RequestType,
)

U16, U32, U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1

names = st.binary(min_size=1, max_size=255).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
files = st.integers(0, U16)
by_process = st.builds(
    NamespaceTarget, pid=st.integers(1, 2**31 - 1), started=st.integers(0, U64), files=files
)
by_name = st.builds(NamespaceTarget, name=names, started=st.integers(0, U64), files=files)
targets = st.lists(by_process | by_name, max_size=wire.MAX_TARGETS).map(tuple)
numbers = st.integers(0, U32)
attach_all = st.builds(BrokerRequest, numbers, st.just(RequestType.ENTER), targets)
looks = st.builds(
    BrokerRequest,
    numbers,
    st.sampled_from([kind for kind in RequestType if kind is not RequestType.ENTER]),
    pid=numbers,
    start=numbers,
)
replies = st.builds(
    BrokerReply,
    numbers,
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, U64),
    files,
    st.binary(max_size=100),
)


def entering(*packed: bytes) -> bytes:
    return struct.pack("=IH", 7, RequestType.ENTER) + b"".join(packed)


def packed_entry(pid: int = 0, name: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("=IQHB", pid, 0, 0, len(name) if length is None else length) + name


@given(attach_all | looks)
def test_a_request_is_read_as_it_was_written(request: BrokerRequest) -> None:
    assert wire.unpack_request(wire.pack_request(request)) == request


@given(replies)
def test_a_reply_is_read_as_it_was_written(reply: BrokerReply) -> None:
    assert wire.unpack_reply(wire.pack_reply(reply)) == reply


@given(st.binary(max_size=200) | st.binary(max_size=100).map(entering))
def test_any_bytes_are_a_request_or_malformed(message: bytes) -> None:
    try:
        request = wire.unpack_request(message)
    except MalformedMessageError:
        return
    assert len(request.targets) <= wire.MAX_TARGETS
    for target in request.targets:
        assert bool(target.name) != bool(target.pid)
        assert target.pid < 2**31
        assert not set(target.name) & set(b"/\0")
        assert target.name not in (b".", b"..")
    assert wire.pack_request(request) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_malformed(message: bytes) -> None:
    try:
        reply = wire.unpack_reply(message)
    except MalformedMessageError:
        return
    assert wire.pack_reply(reply) == message


@given(attach_all, st.integers(1, 300))
def test_a_request_that_was_cut_off_is_malformed_or_ends_between_two_entries(
    request: BrokerRequest, missing: int
) -> None:
    message = wire.pack_request(request)[:-missing]
    try:
        cut = wire.unpack_request(message)
    except MalformedMessageError:
        return
    assert cut.targets == request.targets[: len(cut.targets)]


@pytest.mark.parametrize(
    "name",
    [b"/", b"a/b", b"../host", b"/etc/passwd", b".", b"..", b"a\0b", b"\0", b"web/", b"..\0"],
)
def test_a_name_that_is_not_one_file_of_its_directory_is_refused(name: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(entering(packed_entry(name=name)))


@pytest.mark.parametrize("name", [b"web", b"...", b".hidden", b"a..b", b"\xff\n", b" ", b"x" * 255])
def test_any_other_name_is_taken(name: bytes) -> None:
    (target,) = wire.unpack_request(entering(packed_entry(name=name))).targets
    assert target == NamespaceTarget(name=name)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(packed_entry(), id="neither a process nor a name"),
        pytest.param(packed_entry(pid=1, name=b"web"), id="both"),
        pytest.param(packed_entry(pid=2**31), id="no process has this number"),
        pytest.param(packed_entry(name=b"web", length=4), id="a name that is longer than the message"),
        pytest.param(packed_entry(name=b"web", length=2), id="a name that is longer than it says"),
        pytest.param(packed_entry(pid=1)[:-1], id="half an entry"),
    ],
)
def test_what_is_no_way_into_a_namespace_is_refused(target: bytes) -> None:
    for message in (entering(target), entering(packed_entry(pid=1), target)):
        with pytest.raises(MalformedMessageError):
            wire.unpack_request(message)


def test_more_namespaces_at_once_than_are_allowed_are_refused() -> None:
    target = packed_entry(pid=1)
    assert len(wire.unpack_request(entering(*[target] * wire.MAX_TARGETS)).targets) == wire.MAX_TARGETS
    with pytest.raises(MalformedMessageError, match="33 namespaces at once"):
        wire.unpack_request(entering(*[target] * (wire.MAX_TARGETS + 1)))


@pytest.mark.parametrize("kind", [0, 6, U16])
def test_a_kind_that_there_is_not_is_refused(kind: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(struct.pack("=IHII", 1, kind, 1, 0))


def test_the_largest_request_fits_into_a_message() -> None:
    target = NamespaceTarget(name=b"x" * 255)
    request = BrokerRequest(1, RequestType.ENTER, (target,) * wire.MAX_TARGETS)
    assert len(wire.pack_request(request)) < wire.MAX_MESSAGE_BYTES


def test_the_files_are_those_that_a_sampler_reads_and_have_a_bit_each() -> None:
    """A request carries bits and no path, so whatever it says, it names none but these."""
    assert len(wire.NAMESPACE_FILES) <= 16
    assert set(wire.NAMESPACE_FILES) == {
        "net/snmp",
        "net/netstat",
        "net/tcp",
        "net/tcp6",
        "net/unix",
        "sys/net/core/somaxconn",
        "sys/net/ipv4/tcp_max_syn_backlog",
        "sys/net/ipv4/tcp_syncookies",
        "sys/net/ipv4/tcp_abort_on_overflow",
    }
    assert set(wire.PROCESS_FILES) == {"stat", "comm", "cgroup"}
